/**
 * Names of elements on one connection of the bus: each pair of name and namespace is spelt out once and is a number from
 * then on. Both sides count alike; when the table is full it starts anew, so a client that invents namespaces costs what
 * its names cost and no more. A name that comes out is the same string every time, flat and interned, and pins nothing.
 */
import { literal, varint } from '@rollcall/ports'
import type { WireReader } from '@rollcall/ports'

const NAMES_MAX = 1024
/** Longer ones are spelt out every time: the table holds at most NAMES_MAX × this. */
const NAME_CHARS_MAX = 256

/** Codes below FIRST say what follows: a pair to forget, a pair to remember, a pair to remember in an empty table. */
const INLINE = 0
const DEFINE = 1
const RESTART = 2
const FIRST = 3

/** So many names of late are found by comparing pointers, since scanned names are interned; others by two look-ups. */
const RECENT_MAX = 8

interface Recent {
  readonly name: string
  readonly ns: string
  readonly wire: string
}

export class NameWriter {
  readonly #byNs = new Map<string, Map<string, number>>()
  #size = 0
  readonly #recent: Recent[] = []
  #oldest = 0

  /** Wire text of a name. */
  write(name: string, ns: string): string {
    for (const recent of this.#recent) if (recent.name === name && recent.ns === ns) return recent.wire
    const known = this.#byNs.get(ns)?.get(name)
    if (known === undefined) return this.#spell(name, ns)
    const wire = varint(known)
    this.#recent[this.#oldest++ % RECENT_MAX] = { name, ns, wire }
    return wire
  }

  #spell(name: string, ns: string): string {
    const spelling = literal(name) + literal(ns)
    if (name.length + ns.length > NAME_CHARS_MAX) return varint(INLINE) + spelling
    const isFull = this.#size === NAMES_MAX
    if (isFull) {
      this.#byNs.clear()
      this.#recent.length = 0
      this.#oldest = 0
      this.#size = 0
    }
    let names = this.#byNs.get(ns)
    if (names === undefined) this.#byNs.set(ns, (names = new Map()))
    names.set(name, FIRST + this.#size++)
    return varint(isFull ? RESTART : DEFINE) + spelling
  }
}

export interface Name {
  readonly name: string
  readonly ns: string
}

export class NameReader {
  readonly #names: Name[] = []

  read(reader: WireReader): Name {
    const code = reader.varint()
    if (code >= FIRST) {
      const known = this.#names[code - FIRST]
      if (known === undefined) throw new RangeError(`name ${code} was never spelt out`)
      return known
    }
    const name = { name: interned(reader.literal()), ns: interned(reader.literal()) }
    if (code === RESTART) this.#names.length = 0
    if (code !== INLINE) this.#names.push(name)
    return name
  }
}

/** Keys of objects are interned by the engine, so equal names are the same string and compare by pointer. */
function interned(text: string): string {
  return Object.keys({ [text]: 0 })[0] ?? ''
}
