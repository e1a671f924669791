/**
 * Addresses on one connection of the bus: each is spelt out once and is a number from then on.
 *
 * Looking an address up by its text costs 150 ns, and a broadcast has one per contact. Sessions, rosters and routes of one
 * account share one `Jid` object nearly always, so the sender looks it up by identity and the receiver by index; an equal
 * one that is another object is spelt out again and costs no more than that. Bounded: a full table starts anew.
 */
import { parseJidWire } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { varint, varints } from '@rollcall/ports'
import type { WireReader } from '@rollcall/ports'

const JIDS_MAX = 65_536
/** Longer ones are spelt out every time: the table holds at most JIDS_MAX × this. */
const JID_CHARS_MAX = 256

/** Codes below FIRST say what follows: an address to forget, to remember, to remember in an empty table. 0 is no address. */
const NONE = 0
const INLINE = 1
const DEFINE = 2
const RESTART = 3
const FIRST = 4

export class JidWriter {
  readonly #codes = new Map<Jid, number>()

  write(jid: Jid | undefined): string {
    if (jid === undefined) return varint(NONE)
    const code = this.#codes.get(jid)
    return code === undefined ? this.#spell(jid) : varint(code)
  }

  /** A list: its length, the code of each, then the spellings of those that have one. */
  writeAll(jids: readonly Jid[]): string {
    let spellings = ''
    const codes = jids.map((jid) => {
      const known = this.#codes.get(jid)
      if (known !== undefined) return known
      const code = this.#define(jid)
      spellings += spellingOf(jid)
      return code
    })
    return varint(codes.length) + varints(codes) + spellings
  }

  #spell(jid: Jid): string {
    return varint(this.#define(jid)) + spellingOf(jid)
  }

  /** Puts an address into the table; returns how the receiver is told so. */
  #define(jid: Jid): number {
    if (jid.wire.length > JID_CHARS_MAX) return INLINE
    const isFull = this.#codes.size === JIDS_MAX
    if (isFull) this.#codes.clear()
    this.#codes.set(jid, FIRST + this.#codes.size)
    return isFull ? RESTART : DEFINE
  }
}

function spellingOf({ wire }: Jid): string {
  return varint(wire.length) + wire
}

/** What stands in the table for an address that this version refuses. */
const REFUSED = Symbol('refused')

export class JidReader {
  readonly #jids: (Jid | typeof REFUSED)[] = []
  /** Whether an address was refused since this was last set to false: the rules for addresses change with versions. */
  hasRefused = false

  /** Undefined for no address, and for one that is refused. */
  read(reader: WireReader): Jid | undefined {
    return this.#get(reader.varint(), reader)
  }

  /** Those of a list that are not refused. */
  readAll(reader: WireReader): Jid[] {
    const jids: Jid[] = []
    for (const code of reader.varints(reader.varint())) {
      const jid = this.#get(code, reader)
      if (jid !== undefined) jids.push(jid)
    }
    return jids
  }

  #get(code: number, reader: WireReader): Jid | undefined {
    if (code === NONE) return undefined
    const jid = code < FIRST ? this.#spelt(reader, code) : this.#jids[code - FIRST]
    if (jid === undefined) throw new RangeError(`address ${code} was never spelt out`)
    if (jid !== REFUSED) return jid
    this.hasRefused = true
    return undefined
  }

  #spelt(reader: WireReader, code: number): Jid | typeof REFUSED {
    const jid = tryParse(reader.take(reader.varint()))
    if (code === RESTART) this.#jids.length = 0
    if (code !== INLINE) this.#jids.push(jid)
    return jid
  }
}

function tryParse(wire: string): Jid | typeof REFUSED {
  try {
    return parseJidWire(wire)
  } catch {
    return REFUSED
  }
}
