/**
 * The roster of one warm account: its items, its version, and the requests that wait.
 *
 * Items are an array sorted by a hash of the address and searched by halves: for the usual twenty contacts a hash map
 * would take as much memory as the items, and every presence asks its receiver's roster. The array is replaced, never
 * changed, when a contact comes or goes, so that whoever walks it may route stanzas that change the roster.
 *
 * The version is a number that only grows and is never used twice, not even by an account that was deleted and created
 * again: seconds since 2020, or one more than the last. Each item carries the version of its last change, and the roster
 * the version of its last removal; so "what changed after version n" is answered exactly unless something was removed
 * since, and then the whole roster is the answer.
 */
import type { Jid } from '@rollcall/jid'
import { HASHES, hashOf } from './roster-item.ts'
import type { RosterItem } from './roster-item.ts'

const EPOCH_MS = Date.UTC(2020, 0, 1)

/** The first version that a change at `nowMs` (Unix time in ms) may get. */
export function versionAt(nowMs: number): number {
  return Math.max(1, Math.floor((nowMs - EPOCH_MS) / 1000))
}

/** Steps from the guessed place; then the rest is halved, so that chosen addresses do not make a search long. */
const GUESSED_STEPS_MAX = 8

const noItems: readonly RosterItem[] = []
const noWatchers: readonly Jid[] = []

export class AccountRoster {
  #items = noItems
  #version = 0
  #removedVersion = 0
  #listedCount = 0
  #watcherCount = 0
  /** Kept while nothing changes: every change of presence goes along it, and the items lie anywhere in memory. */
  #watchers: readonly Jid[] | undefined = undefined
  #pendingOutCount = 0
  /** Wire strings of waiting requests (what follows the addresses) by contact; made on first use. */
  #requests: Map<RosterItem, string> | undefined = undefined
  #pendingInCount = 0

  /** Everything known, in the order of hashes: listed items and notes of waiting requests. */
  get items(): readonly RosterItem[] {
    return this.#items
  }

  get version(): number {
    return this.#version
  }

  /** Version of the last removal; 0 when there was none. */
  get removedVersion(): number {
    return this.#removedVersion
  }

  /** Contacts in the roster. */
  get listedCount(): number {
    return this.#listedCount
  }

  /** Contacts that may see the account's presence. */
  get watcherCount(): number {
    return this.#watcherCount
  }

  /** They themselves; the list never changes. */
  get watchers(): readonly Jid[] {
    if (this.#watcherCount === 0) return noWatchers
    return (this.#watchers ??= this.#items.filter((item) => item.isFrom).map((item) => item.jid))
  }

  /** Whether anybody waits for an answer, the user or a contact. */
  get hasPending(): boolean {
    return this.#pendingInCount > 0 || this.#pendingOutCount > 0
  }

  /** Requests that wait for the user's answer. */
  get pendingInCount(): number {
    return this.#pendingInCount
  }

  /** The item of a contact, resourcepart ignored. */
  find(contact: Jid): RosterItem | undefined {
    const { bare } = contact
    const hash = hashOf(bare)
    const items = this.#items
    for (let at = this.#place(hash); at < items.length; at++) {
      const item = items[at] as RosterItem
      if (item.hash !== hash) return undefined
      if (item.jid.equals(bare)) return item
    }
    return undefined
  }

  /** Puts an item into its place; there must be none for its address. Counts it as it is now. */
  add(item: RosterItem): void {
    item.isGone = false
    this.#items = this.#items.toSpliced(this.#place(item.hash), 0, item)
    this.#count(item, 1)
    this.#version = Math.max(this.#version, item.version)
  }

  /** Fills an empty roster at once; cheaper than one by one. */
  populate(items: readonly RosterItem[], removedVersion: number): void {
    this.#items = items.length === 0 ? noItems : items.toSorted((a, b) => a.hash - b.hash)
    this.#version = this.#removedVersion = removedVersion
    for (const item of items) {
      this.#count(item, 1)
      if (item.version > this.#version) this.#version = item.version
    }
  }

  /** Changes an item that is here. */
  update(item: RosterItem, change: (item: RosterItem) => void): void {
    this.#count(item, -1)
    change(item)
    this.#count(item, 1)
    if (!item.isPendingIn) this.setRequest(item, undefined)
  }

  /** Takes an item out. `version` is that of the removal, or undefined when clients never saw the item. */
  remove(item: RosterItem, version: number | undefined): void {
    this.#count(item, -1)
    this.setRequest(item, undefined)
    this.#items = this.#items.filter((other) => other !== item)
    item.isGone = true
    if (version !== undefined) this.#removedVersion = version
  }

  /** A new version for a change at `nowMs`. */
  advance(nowMs: number): number {
    return (this.#version = Math.max(this.#version + 1, versionAt(nowMs)))
  }

  /** Listed items that changed after `version`, oldest change first; undefined when that cannot be told. */
  changesSince(version: number): RosterItem[] | undefined {
    if (version > this.#version || version < this.#removedVersion) return undefined
    return this.#items.filter((item) => item.isListed && item.version > version).toSorted((a, b) => a.version - b.version)
  }

  /** What follows the addresses of a contact's waiting request. */
  requestOf(item: RosterItem): string | undefined {
    return this.#requests?.get(item)
  }

  setRequest(item: RosterItem, wire: string | undefined): void {
    if (wire !== undefined) (this.#requests ??= new Map()).set(item, wire)
    else if (this.#requests?.delete(item) === true && this.#requests.size === 0) this.#requests = undefined
  }

  #count(item: RosterItem, sign: 1 | -1): void {
    if (item.isListed) this.#listedCount += sign
    if (item.isFrom) {
      this.#watcherCount += sign
      this.#watchers = undefined
    }
    if (item.isPendingIn) this.#pendingInCount += sign
    if (item.isPendingOut) this.#pendingOutCount += sign
  }

  /**
   * Index of the first item whose hash is not less. Hashes are spread evenly, so the place is guessed, and usually found a
   * few steps beside: every step reads another item, and items lie anywhere in memory.
   */
  #place(hash: number): number {
    const items = this.#items
    let low = 0
    let high = items.length
    let at = Math.floor((hash / HASHES) * high)
    for (let step = 0; step < GUESSED_STEPS_MAX && low < high; step++) {
      if ((items[at] as RosterItem).hash < hash) low = ++at
      else high = at--
      if (at < low || at >= high) return low
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((items[middle] as RosterItem).hash < hash) low = middle + 1
      else high = middle
    }
    return low
  }
}

/**
 * The addresses of the items that pass, as an iterable that allocates nothing per contact: its iterator is its own result.
 */
export class ContactWalk implements Iterable<Jid> {
  readonly #items: readonly RosterItem[]
  readonly #isWanted: (item: RosterItem) => boolean

  constructor(items: readonly RosterItem[], isWanted: (item: RosterItem) => boolean) {
    this.#items = items
    this.#isWanted = isWanted
  }

  [Symbol.iterator](): Iterator<Jid> {
    const items = this.#items
    const isWanted = this.#isWanted
    let at = 0
    const step: { value: Jid; done: boolean } = { value: undefined as unknown as Jid, done: false }
    return {
      next() {
        while (at < items.length) {
          const item = items[at++] as RosterItem
          if (!isWanted(item)) continue
          step.value = item.jid
          return step
        }
        step.done = true
        return step
      },
    }
  }
}
