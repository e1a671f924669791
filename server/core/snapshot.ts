/**
 * An account's in-memory state as one versioned value: sessions, presence and the modules' slots.
 *
 * This is what a shard hand-off transfers. Sockets stay where they are: a session is named by (edge, conn), so the new
 * owner talks to the same edges.
 */
import { parseJid } from '@rollcall/jid'
import type { Json, MemberId } from '@rollcall/ports'
import type { AccountSlot, SessionOrigin, SessionSlot } from '@rollcall/module-api'
import { decodeStanza, encodeStanza } from '@rollcall/stanza'
import type { StanzaRecord } from '@rollcall/stanza'
import type { ConnId } from '../protocol/messages.ts'
import type { AccountRegistry } from './account-registry.ts'
import { LocalAccount, LocalSession } from './entities.ts'
import type { SessionPorts } from './entities.ts'
import type { ManagedStream } from './managed-stream.ts'
import type { Repeats } from './repeats.ts'
import type { StreamManagement } from './stream-management.ts'
import { DeliveredStanza } from './unacked-queue.ts'
import type { QueueEntry } from './unacked-queue.ts'

export const SNAPSHOT_VERSION = 1

interface SlotRecord {
  readonly version: number
  readonly state: Json
}

/** What was sent and not acknowledged: a wire string, or a stanza that must not get lost and when it was sent. */
type EntryRecord = string | {
  readonly stanza: StanzaRecord
  readonly at: number
  /** The same in all entries of one message. */
  readonly group: number
  /** Resourceparts of the sessions that got it, in whatever form. */
  readonly recipients: readonly string[]
  /** Of a copy in another form. */
  readonly wire?: string
}

/** Stream management (XEP-0198). */
export interface StreamRecord {
  readonly token: string
  readonly resumeMs: number
  readonly handled: number
  /** So many of those, the latest, are not safe yet: the old owner says when they are. Absent: all are. */
  readonly unsafe?: number
  readonly acked: number
  /** The client says when it resumes what it has acknowledged; absent where that is known. */
  readonly isAckedUnknown?: true
  /** The client has every message that it was given before that, ms since the Unix epoch; absent from older members. */
  readonly since?: number
  /** Up to that stanza of the client a dead member may have handled some; absent where that is known. */
  readonly againUntil?: number
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
  /** Messages written before the client said how it acknowledges; absent where there are none. */
  readonly early?: readonly EntryRecord[]
}

export interface AccountSnapshot {
  readonly version: number
  readonly account: string
  /** Of an ANONYMOUS login; absent from older members. */
  readonly isTemporary?: boolean
  readonly slots: Readonly<Record<string, SlotRecord>>
  readonly sessions: readonly SessionRecord[]
}

/** Copies a warm account out; the account itself is unchanged. `nowMs` is monotonic. */
export function exportAccount(account: LocalAccount, registry: AccountRegistry, nowMs: number): AccountSnapshot {
  const slots: Record<string, SlotRecord> = {}
  for (const slot of registry.slots.all) {
    if (slot.exportState !== undefined) slots[slot.slotName] = { version: slot.version, state: slot.exportState(account.states[slot.index]) }
  }
  return {
    version: SNAPSHOT_VERSION,
    account: account.jid.toString(),
    isTemporary: account.isTemporary,
    slots,
    sessions: exportSessions(account, nowMs),
  }
}

function exportSessions(account: LocalAccount, nowMs: number): SessionRecord[] {
  const groups = new Map<DeliveredStanza, number>()
  const exportEntry = (entry: QueueEntry): EntryRecord => {
    if (typeof entry === 'string') return entry
    const { original } = entry
    const group = groups.get(original) ?? groups.size
    groups.set(original, group)
    const recipients = original.recipients.filter(({ isEnded }) => !isEnded).map(({ jid }) => jid.resourcepart)
    const record = { stanza: encodeStanza(entry.stanza), at: entry.at, group, recipients }
    return original === entry ? record : { ...record, wire: entry.wire }
  }
  return [...account.sessions.values()].map((session) => exportSession(session, nowMs, exportEntry))
}

function exportSession(session: LocalSession, nowMs: number, exportEntry: (entry: QueueEntry) => EntryRecord): SessionRecord {
  return {
    ...recordOf(session),
    ...(session.earlyMessages().length === 0 ? {} : { early: session.earlyMessages().map(exportEntry) }),
    ...(session.management === undefined ? {} : { stream: exportStream(session.management, nowMs, exportEntry) }),
  }
}

/** A session without what it was sent. */
export function recordOf(session: LocalSession): SessionRecord {
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
  }
}

function exportStream(
  stream: ManagedStream<LocalSession>, nowMs: number, exportEntry: (entry: QueueEntry) => EntryRecord,
): StreamRecord {
  const { token, resumeMs, inbound, queue, latencyMs, detachedAtMs, again, isAckedUnknown, since } = stream
  return {
    token, resumeMs, latencyMs,
    handled: inbound.handled,
    ...(inbound.handled === inbound.safe ? {} : { unsafe: (inbound.handled - inbound.safe) >>> 0 }),
    acked: queue.acked,
    since,
    ...(isAckedUnknown ? { isAckedUnknown } : {}),
    ...(again === undefined ? {} : { againUntil: again.until }),
    detachedForMs: detachedAtMs === undefined ? null : nowMs - detachedAtMs,
    unacked: [...queue.entries()].map(exportEntry),
  }
}

export interface ImportPorts {
  readonly registry: AccountRegistry
  readonly sessionSlots: ReadonlyMap<string, SessionSlot<unknown>>
  readonly sessionPorts: SessionPorts
  readonly streams: StreamManagement
  readonly repeats: Repeats
}

/**
 * Makes the account of a snapshot, with slots that were not exported loaded from storage.
 * Rejects with an Error when the snapshot was written by a newer version.
 */
export async function importAccount(snapshot: AccountSnapshot, ports: ImportPorts): Promise<LocalAccount> {
  const { registry } = ports
  if (snapshot.version > SNAPSHOT_VERSION) throw new Error(`Account snapshot version ${snapshot.version} is newer than ${SNAPSHOT_VERSION}`)
  const jid = parseJid(snapshot.account)
  const { slots } = registry
  const isGiven = ({ slotName, importState }: AccountSlot<unknown>) => importState !== undefined && snapshot.slots[slotName] !== undefined
  const missing = slots.all.filter((slot) => !isGiven(slot))
  const loaded = await slots.load(jid, missing)
  const states = slots.all.map((slot) => {
    const record = snapshot.slots[slot.slotName]
    return isGiven(slot) && record !== undefined ? slot.importState?.(record.state, record.version) : loaded[missing.indexOf(slot)]
  })
  const account = new LocalAccount(jid, states, snapshot.isTemporary === true)
  for (const record of snapshot.sessions) account.addSession(record.resourcepart, importSession(account, record, ports))
  importStreams(account, snapshot.sessions, ports)
  return account
}

/** Makes the session of a record, without its stream. */
export function importSession(
  account: LocalAccount, record: SessionRecord, { sessionSlots, sessionPorts }: Pick<ImportPorts, 'sessionSlots' | 'sessionPorts'>,
): LocalSession {
  const jid = account.jid.withResource(record.resourcepart)
  const session = new LocalSession(sessionPorts, account, jid, record.edge, record.conn, record.boundAt, record.origin)
  session.presence = record.presence === null ? undefined : decodeStanza(record.presence)
  session.priority = record.priority
  session.isInterested = record.isInterested
  for (const [name, slotRecord] of Object.entries(record.slots)) {
    const slot = sessionSlots.get(name)
    if (slot !== undefined) session.set(slot, slot.importState(slotRecord.state, slotRecord.version))
  }
  return session
}

/** After all sessions, since entries refer to everybody who got the message. */
function importStreams(account: LocalAccount, records: readonly SessionRecord[], { repeats, streams }: ImportPorts): void {
  const originals = new Map<number, DeliveredStanza>()
  const importEntry = (entry: EntryRecord): QueueEntry => {
    if (typeof entry === 'string') return entry
    let original = originals.get(entry.group)
    if (original === undefined) {
      const stanza = decodeStanza(entry.stanza)
      const recipients = entry.recipients.map((resourcepart) => account.sessions.get(resourcepart)).filter((session) => session !== undefined)
      original = new DeliveredStanza(stanza, stanza.toWire(), entry.at, recipients)
      originals.set(entry.group, original)
    }
    return entry.wire === undefined ? original : original.inForm(entry.wire)
  }
  for (const { resourcepart, stream: record, early = [] } of records) {
    const session = account.sessions.get(resourcepart)
    if (session === undefined) continue
    for (const entry of early.map(importEntry)) if (typeof entry !== 'string') session.keepEarly(entry)
    if (record === undefined) continue
    const stream = streams.adopt(session, record, record.unacked.map(importEntry), record.detachedForMs ?? undefined)
    stream.latencyMs = record.latencyMs
    if (record.againUntil !== undefined) stream.again = repeats.sentAgain(record.againUntil)
  }
}
