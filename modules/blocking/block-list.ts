/**
 * The addresses that one account has blocked, made for being asked about every stanza.
 *
 * A set of texts: an address is looked up as it is, then bare, then by its domain, which are the four kinds of XEP-0191
 * §6 (`domain/resource` is found as it is). Nearly all lists are empty: those are one object, which costs no account any
 * memory and is always in the processor's cache.
 */
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'

export class BlockList {
  static readonly #empty = new BlockList()
  readonly #items: ReadonlyMap<string, Jid>

  constructor(items: Iterable<Jid> = []) {
    this.#items = new Map(Array.from(items, (jid) => [jid.toString(), jid]))
  }

  /** From what `texts` gave; addresses that are none any more are left out. */
  static fromTexts(texts: readonly string[]): BlockList {
    return texts.length === 0 ? BlockList.#empty : new BlockList(texts.flatMap((text) => tryParseJid(text) ?? []))
  }

  get isEmpty(): boolean {
    return this.#items.size === 0
  }

  get size(): number {
    return this.#items.size
  }

  get jids(): readonly Jid[] {
    return [...this.#items.values()]
  }

  get texts(): readonly string[] {
    return [...this.#items.keys()]
  }

  /** Whether an item stands for the address (XEP-0191 §6). */
  matches(jid: Jid): boolean {
    const items = this.#items
    if (items.size === 0) return false
    return items.has(jid.toString()) || (jid.isFull && items.has(jid.bare.toString())) || items.has(jid.domainpart)
  }

  with(jids: readonly Jid[]): BlockList {
    return new BlockList([...this.#items.values(), ...jids])
  }

  without(jids: readonly Jid[]): BlockList {
    const removed = new Set(jids.map((jid) => jid.toString()))
    return new BlockList(this.jids.filter((jid) => !removed.has(jid.toString())))
  }
}
