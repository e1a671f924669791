/**
 * The modules' slots, and how an account's states come to be.
 *
 * Most slots are what one store has of the account. They say which, and all those stores are read together: one question to
 * the storage and one promise for an account, however many modules there are.
 */
import type { Jid } from '@rollcall/jid'
import type { StorageBackend, WholeStore } from '@rollcall/ports'
import type { AccountSlot } from '@rollcall/module-api'
import type { RegisteredSlot } from './entities.ts'

type Slot = RegisteredSlot<unknown>

export class AccountSlots {
  readonly #storage: Pick<StorageBackend, 'ownerGet'>
  readonly #all: Slot[] = []

  constructor(storage: Pick<StorageBackend, 'ownerGet'>) {
    this.#storage = storage
  }

  get all(): readonly RegisteredSlot<unknown>[] {
    return this.#all
  }

  /** Every account loaded from now on carries it. */
  add<T>(slot: AccountSlot<T>): AccountSlot<T> {
    const registered: RegisteredSlot<T> = { ...slot, index: this.#all.length }
    this.#all.push(registered)
    return registered
  }

  /** The states of slots, in their order. What a slot reads by itself is asked for in the same turn. */
  async load(account: Jid, slots: readonly Slot[] = this.#all): Promise<unknown[]> {
    const stores: WholeStore[] = []
    // Kept for as long as the account is warm, so without the slack of an array that grew.
    const states = slots.map((slot): unknown => {
      if (slot.reads === undefined) return slot.load(account, undefined)
      stores.push(slot.reads)
      return undefined
    })
    const reading = this.#storage.ownerGet(account.toString(), stores)
    // Together: none of them may reject while nobody listens.
    const [read, made] = states.some(isPromise) ? await Promise.all([reading, Promise.all(states)]) : [await reading, states]
    let row = 0
    for (let at = 0; at < slots.length; at++) {
      const slot = slots[at] as Slot
      if (slot.reads !== undefined) made[at] = slot.load(account, read[row++])
    }
    return made.some(isPromise) ? Promise.all(made) : made
  }
}

const isPromise = (state: unknown): boolean => state instanceof Promise
