/**
 * An account's in-memory state as one versioned value: sessions, presence and the modules' slots.
 *
 * This is what a shard hand-off transfers. Sockets stay where they are: a session is named by (edge, conn), so the new
 * owner talks to the same edges.
 */
import { parseJid } from '@rollcall/jid'
import type { Json, MemberId } from '@rollcall/ports'
import type { SessionOrigin, SessionSlot } from '@rollcall/module-api'
import { decodeStanza, encodeStanza } from '@rollcall/stanza'
import type { StanzaRecord } from '@rollcall/stanza'
import type { ConnId } from '../protocol/messages.ts'
import type { AccountRegistry } from './account-registry.ts'
import { LocalAccount, LocalSession } from './entities.ts'
import type { SessionPorts } from './entities.ts'
import type { ManagedStream } from './managed-stream.ts'
import type { StreamManagement } from './stream-management.ts'
import { DeliveredStanza } from './unacked-queue.ts'
import type { QueueEntry } from './unacked-queue.ts'

export const SNAPSHOT_VERSION = 1

interface SlotRecord {
  readonly version: number
  readonly state: Json
}

/** What was sent and not acknowledged: a wire string, or a stanza that must not get lost and when it was sent. */
type EntryRecord = string | { readonly stanza: StanzaRecord; readonly at: number }

/** Stream management (XEP-0198). */
export interface StreamRecord {
  readonly token: string
  readonly resumeMs: number
  /** Everything handled is safe: the account settled before it was handed over. */
  readonly handled: number
  readonly acked: number
  readonly latencyMs: number
  /** Null while there is a connection. */
  readonly detachedForMs: number | null
  readonly unacked: readonly EntryRecord[]
}

export interface SessionRecord {
  readonly resourcepart: string
  readonly edge: MemberId
  readonly conn: ConnId
  readonly boundAt: number
  readonly origin: SessionOrigin
  readonly presence: StanzaRecord | null
  readonly priority: number
  readonly isInterested: boolean
  readonly slots: Readonly<Record<string, SlotRecord>>
  /** Absent without stream management. */
  readonly stream?: StreamRecord
}

export interface AccountSnapshot {
  readonly version: number
  readonly account: string
  readonly slots: Readonly<Record<string, SlotRecord>>
  readonly sessions: readonly SessionRecord[]
}

/** Copies a warm account out; the account itself is unchanged. `nowMs` is monotonic. */
export function exportAccount(account: LocalAccount, registry: AccountRegistry, nowMs: number): AccountSnapshot {
  const slots: Record<string, SlotRecord> = {}
  for (const slot of registry.slots) {
    if (slot.exportState !== undefined) slots[slot.slotName] = { version: slot.version, state: slot.exportState(account.states[slot.index]) }
  }
  return {
    version: SNAPSHOT_VERSION,
    account: account.jid.toString(),
    slots,
    sessions: [...account.sessions.values()].map((session) => exportSession(session, nowMs)),
  }
}

function exportSession(session: LocalSession, nowMs: number): SessionRecord {
  const slots: Record<string, SlotRecord> = {}
  for (const [slot, state] of session.slots()) slots[slot.slotName] = { version: slot.version, state: slot.exportState(state) }
  return {
    resourcepart: session.jid.resourcepart,
    edge: session.edge,
    conn: session.conn,
    boundAt: session.boundAt,
    origin: session.origin,
    presence: session.presence === undefined ? null : encodeStanza(session.presence),
    priority: session.priority,
    isInterested: session.isInterested,
    slots,
    ...(session.management === undefined ? {} : { stream: exportStream(session.management, nowMs) }),
  }
}

function exportStream({ token, resumeMs, inbound, queue, latencyMs, detachedAtMs }: ManagedStream<LocalSession>, nowMs: number): StreamRecord {
  return {
    token, resumeMs, latencyMs,
    handled: inbound.handled,
    acked: queue.acked,
    detachedForMs: detachedAtMs === undefined ? null : nowMs - detachedAtMs,
    unacked: [...queue.entries()].map((entry) =>
      typeof entry === 'string' ? entry : { stanza: encodeStanza(entry.stanza), at: entry.at }),
  }
}

export interface ImportPorts {
  readonly registry: AccountRegistry
  readonly sessionSlots: ReadonlyMap<string, SessionSlot<unknown>>
  readonly sessionPorts: SessionPorts
  readonly streams: StreamManagement
}

/**
 * Makes the account of a snapshot, with slots that were not exported loaded from storage.
 * Rejects with an Error when the snapshot was written by a newer version.
 */
export async function importAccount(snapshot: AccountSnapshot, ports: ImportPorts): Promise<LocalAccount> {
  const { registry } = ports
  if (snapshot.version > SNAPSHOT_VERSION) throw new Error(`Account snapshot version ${snapshot.version} is newer than ${SNAPSHOT_VERSION}`)
  const jid = parseJid(snapshot.account)
  const states = await Promise.all(registry.slots.map((slot) => {
    const record = snapshot.slots[slot.slotName]
    return record === undefined || slot.importState === undefined ? slot.load(jid) : slot.importState(record.state, record.version)
  }))
  const account = new LocalAccount(jid, states)
  for (const record of snapshot.sessions) account.sessions.set(record.resourcepart, importSession(account, record, ports))
  return account
}

function importSession(account: LocalAccount, record: SessionRecord, { sessionSlots, sessionPorts, streams }: ImportPorts): LocalSession {
  const jid = account.jid.withResource(record.resourcepart)
  const session = new LocalSession(sessionPorts, account, jid, record.edge, record.conn, record.boundAt, record.origin)
  session.presence = record.presence === null ? undefined : decodeStanza(record.presence)
  session.priority = record.priority
  session.isInterested = record.isInterested
  for (const [name, slotRecord] of Object.entries(record.slots)) {
    const slot = sessionSlots.get(name)
    if (slot !== undefined) session.set(slot, slot.importState(slotRecord.state, slotRecord.version))
  }
  if (record.stream !== undefined) importStream(session, record.stream, streams)
  return session
}

function importStream(session: LocalSession, record: StreamRecord, streams: StreamManagement): void {
  const entries = record.unacked.map((entry): QueueEntry => {
    if (typeof entry === 'string') return entry
    const stanza = decodeStanza(entry.stanza)
    return new DeliveredStanza(stanza, stanza.toWire(), entry.at, [session])
  })
  const stream = streams.adopt(session, record, entries, record.detachedForMs ?? undefined)
  stream.latencyMs = record.latencyMs
}
