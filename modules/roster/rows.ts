/**
 * How a roster lies in storage: one row per contact in the map store `roster`, keyed by the contact's bare JID.
 *
 * Every change of the roster is the change of one row, hence atomic. A removal makes the contact's row a tombstone with the
 * version of the removal; then that version is noted under `removalKey` and the tombstone deleted. Writes are committed in
 * order, so that a crash between them leaves a tombstone, which the next load sweeps. Absent fields have their usual value:
 * the row of an ordinary contact is short.
 */
import { JidError, parseJid, parseJidWire } from '@rollcall/jid'
import { mapStore } from '@rollcall/ports'
import type { Rows } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import { AccountRoster, versionAt } from './account-roster.ts'
import { noGroups, RosterItem } from './roster-item.ts'
import { stateOf } from './subscription.ts'
import type { Subscription } from './subscription.ts'

export interface RosterRow {
  /** Roster version of the last change that clients saw. */
  readonly version: number
  /** Absent: none. */
  readonly subscription?: Subscription
  readonly name?: string
  readonly groups?: readonly string[]
  /** The user's request waits. */
  readonly ask?: true
  readonly approved?: true
  /** The contact's request waits: wire string of what follows its addresses. */
  readonly request?: string
  /** Not in the roster: only the note of a request. */
  readonly unlisted?: true
  /** Nothing but the version of a removal. */
  readonly removed?: true
}

export const rosterStore = mapStore<RosterRow>('roster')

/** Key of the row with the version of the last removal; no JID can be like it. */
export const removalKey = '@'

/** The row of an item. */
export function toRow(roster: AccountRoster, item: RosterItem): RosterRow {
  return {
    version: item.version,
    ...(item.subscription === 'none' ? {} : { subscription: item.subscription }),
    ...(item.name === '' ? {} : { name: item.name }),
    ...(item.groups.length === 0 ? {} : { groups: item.groups }),
    ...(item.isPendingOut ? { ask: true as const } : {}),
    ...(item.isApproved ? { approved: true as const } : {}),
    ...(item.isPendingIn ? { request: roster.requestOf(item) ?? '' } : {}),
    ...(item.isListed ? {} : { unlisted: true as const }),
  }
}

/** The row of a removal. */
export function removalRow(version: number): RosterRow {
  return { version, removed: true }
}

export interface StoredRoster {
  readonly roster: AccountRoster
  /** Keys of tombstones that a crash left behind. */
  readonly tombstones: readonly string[]
  /** Keys that are no JIDs; their rows are left out. */
  readonly badKeys: readonly string[]
}

/** The roster in rows. */
export function fromRows(rows: Rows<RosterRow>): StoredRoster {
  const roster = new AccountRoster()
  const items: RosterItem[] = []
  const requests: [RosterItem, string][] = []
  const tombstones: string[] = []
  const badKeys: string[] = []
  let removedVersion = 0
  rows.forEach((row, key) => {
    if (row.removed === true) {
      removedVersion = Math.max(removedVersion, row.version)
      if (key !== removalKey) tombstones.push(key)
      return
    }
    const jid = jidOfKey(key)
    if (jid === undefined) return void badKeys.push(key)
    const item = itemOf(jid, row)
    items.push(item)
    if (row.request !== undefined && item.isPendingIn) requests.push([item, row.request])
  })
  roster.populate(items, removedVersion)
  for (const [item, request] of requests) roster.setRequest(item, request)
  return { roster, tombstones, badKeys }
}

/** Text that is its own wire string: ASCII without quotes, ampersand and angle brackets. */
const PLAIN_KEY = /^[\x21\x23-\x25\x28-\x3b\x3d\x3f-\x7e]*$/

/** The JID of a key, mostly out of the cache of addresses on the wire: a login storm parses millions. */
function jidOfKey(key: string): Jid | undefined {
  try {
    return PLAIN_KEY.test(key) ? parseJidWire(key) : parseJid(key)
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}

/** One item from its row. */
export function itemOf(jid: Jid, row: RosterRow): RosterItem {
  const item = new RosterItem(jid.bare)
  item.version = row.version
  item.name = row.name ?? ''
  item.groups = row.groups === undefined || row.groups.length === 0 ? noGroups : internGroups(row.groups)
  item.state = stateOf(row.subscription ?? 'none', row.ask === true, row.request !== undefined)
  item.isApproved = row.approved === true
  item.isListed = row.unlisted !== true
  return item
}

const GROUP_SETS_MAX = 4096
const groupSets = new Map<string, readonly string[]>()

/** One array for everybody who is in the same groups ("Friends"); the table is bounded and starts again when full. */
export function internGroups(groups: readonly string[]): readonly string[] {
  if (groups.length === 0) return noGroups
  const key = JSON.stringify(groups)
  const known = groupSets.get(key)
  if (known !== undefined) return known
  if (groupSets.size >= GROUP_SETS_MAX) groupSets.clear()
  const kept = Object.freeze([...groups])
  groupSets.set(key, kept)
  return kept
}

/**
 * Rows of an account whose contacts are all mutual, as bulk import writes them under the store `roster`: key, value.
 * `nowMs` is Unix time in ms.
 */
export function rosterRows(contacts: Iterable<Jid>, nowMs: number): (readonly [string, RosterRow])[] {
  const row: RosterRow = { version: versionAt(nowMs), subscription: 'both' }
  return [...contacts].map((contact) => [contact.bare.toString(), row] as const)
}
