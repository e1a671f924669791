/**
 * An account's in-memory state as one versioned value: sessions, presence and the modules' slots.
 *
 * This is what a shard hand-off transfers. Sockets stay where they are: a session is named by (edge, conn), so the new
 * owner talks to the same edges.
 */
import { parseJid } from '@rollcall/jid'
import type { Json, MemberId } from '@rollcall/ports'
import type { Bus } from '@rollcall/ports'
import type { SessionOrigin, SessionSlot } from '@rollcall/module-api'
import { decodeStanza, encodeStanza } from '@rollcall/stanza'
import type { StanzaRecord } from '@rollcall/stanza'
import type { ConnId, ServerMessage } from '../protocol/messages.ts'
import type { AccountRegistry } from './account-registry.ts'
import { LocalAccount, LocalSession } from './entities.ts'

export const SNAPSHOT_VERSION = 1

interface SlotRecord {
  readonly version: number
  readonly state: Json
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
}

export interface AccountSnapshot {
  readonly version: number
  readonly account: string
  readonly slots: Readonly<Record<string, SlotRecord>>
  readonly sessions: readonly SessionRecord[]
}

/** Copies a warm account out; the account itself is unchanged. */
export function exportAccount(account: LocalAccount, registry: AccountRegistry): AccountSnapshot {
  const slots: Record<string, SlotRecord> = {}
  for (const slot of registry.slots) {
    if (slot.exportState !== undefined) slots[slot.slotName] = { version: slot.version, state: slot.exportState(account.states[slot.index]) }
  }
  return {
    version: SNAPSHOT_VERSION,
    account: account.jid.toString(),
    slots,
    sessions: [...account.sessions.values()].map(exportSession),
  }
}

function exportSession(session: LocalSession): SessionRecord {
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

/**
 * Makes the account of a snapshot, with slots that were not exported loaded from storage.
 * Rejects with an Error when the snapshot was written by a newer version.
 */
export async function importAccount(
  snapshot: AccountSnapshot, registry: AccountRegistry, sessionSlots: ReadonlyMap<string, SessionSlot<unknown>>, bus: Bus<ServerMessage>,
): Promise<LocalAccount> {
  if (snapshot.version > SNAPSHOT_VERSION) throw new Error(`Account snapshot version ${snapshot.version} is newer than ${SNAPSHOT_VERSION}`)
  const jid = parseJid(snapshot.account)
  const states = await Promise.all(registry.slots.map((slot) => {
    const record = snapshot.slots[slot.slotName]
    return record === undefined || slot.importState === undefined ? slot.load(jid) : slot.importState(record.state, record.version)
  }))
  const account = new LocalAccount(jid, states)
  for (const record of snapshot.sessions) {
    const session = new LocalSession(bus, account, jid.withResource(record.resourcepart), record.edge, record.conn, record.boundAt, record.origin)
    session.presence = record.presence === null ? undefined : decodeStanza(record.presence)
    session.priority = record.priority
    session.isInterested = record.isInterested
    for (const [name, slotRecord] of Object.entries(record.slots)) {
      const slot = sessionSlots.get(name)
      if (slot !== undefined) session.set(slot, slot.importState(slotRecord.state, slotRecord.version))
    }
    account.sessions.set(record.resourcepart, session)
  }
  return account
}
