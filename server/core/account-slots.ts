/**
 * The modules' slots, and how an account's states come to be.
 *
 * Most slots are what one store has of the account. They say which, and all those stores are read together: one question to
 * the storage and one promise for an account, however many modules there are.
 */
import type { Jid } from '@rollcall/jid'
import type { StorageBackend } from '@rollcall/ports'
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
    const own = slots.map((slot) => (slot.reads === undefined ? slot.load(account, undefined) : undefined))
    const rows = this.#storage.ownerGet(account.toString(), slots.flatMap(({ reads }) => reads ?? []))
    // Together: none of them may reject while nobody listens.
    const [read, states] = own.some(isPromise) ? await Promise.all([rows, Promise.all(own)]) : [await rows, own]
    let row = 0
    for (const [at, slot] of slots.entries()) if (slot.reads !== undefined) states[at] = slot.load(account, read[row++])
    return states.some(isPromise) ? Promise.all(states) : states
  }
}

const isPromise = (state: unknown): boolean => state instanceof Promise
