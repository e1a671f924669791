/**
 * Which names look like which: by host, the localparts of each skeleton, so that nobody registers as `rorneo` beside `romeo`.
 *
 * The index is kept whenever accounts are made and removed here, and is only a hint: a name in it counts only while its
 * account exists. Accounts that were imported are not in it.
 */
import { jidOf, skeleton } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Log, MapStore } from '@rollcall/ports'

export class LookAlikes {
  readonly #store: MapStore<readonly string[]>
  readonly #log: Log
  readonly #exists: (jid: Jid) => Promise<boolean>
  /** Skeletons of registrations under way. */
  readonly #underWay = new Set<string>()
  /** Changes of the index, one after the other. */
  #line: Promise<void> = Promise.resolve()

  constructor(store: MapStore<readonly string[]>, log: Log, exists: (jid: Jid) => Promise<boolean>) {
    this.#store = store
    this.#log = log
    this.#exists = exists
  }

  /** Runs `create` unless an account looks like this one, or is becoming one; whether it was run. Rejects as `create` does. */
  async unlessTaken(jid: Jid, create: () => Promise<void>): Promise<boolean> {
    const key = `${jid.domainpart} ${skeleton(jid.localpart)}`
    if (this.#underWay.has(key)) return false
    this.#underWay.add(key)
    try {
      await this.#line
      if (await this.#isTaken(jid)) return false
      await create()
      await this.#line
      return true
    } finally {
      this.#underWay.delete(key)
    }
  }

  add(jid: Jid): void {
    this.#change(jid, (names) => [...names.filter((name) => name !== jid.localpart), jid.localpart])
  }

  remove(jid: Jid): void {
    this.#change(jid, (names) => names.filter((name) => name !== jid.localpart))
  }

  /** Settles when the index is written. */
  settled(): Promise<void> {
    return this.#line
  }

  async #isTaken(jid: Jid): Promise<boolean> {
    const names = (await this.#store.get(jid.domainpart, skeleton(jid.localpart))) ?? []
    // The name itself is for whoever creates the account to refuse.
    const others = names.filter((name) => name !== jid.localpart)
    const found = await Promise.all(others.map((name) => this.#exists(jidOf(name, jid.domainpart))))
    return found.includes(true)
  }

  #change(jid: Jid, change: (names: readonly string[]) => readonly string[]): void {
    this.#line = this.#line.then(() => this.#write(jid, change))
  }

  /** Never rejects: a name that is missing in the index is a defence less, no fault of an account. */
  async #write(jid: Jid, change: (names: readonly string[]) => readonly string[]): Promise<void> {
    const key = skeleton(jid.localpart)
    try {
      const names = change((await this.#store.get(jid.domainpart, key)) ?? [])
      await (names.length === 0 ? this.#store.delete(jid.domainpart, key) : this.#store.set(jid.domainpart, key, names))
    } catch (error) {
      this.#log.warn('look-alikes-failed', { account: jid.toString(), error })
    }
  }
}
