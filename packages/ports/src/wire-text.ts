/**
 * Text that travels between processes of one machine: a latin1 string of length-prefixed pieces.
 *
 * A whole turn's messages are one string and one write, and what is read is one string that nobody splits before it is
 * needed. Numbers are base 128, low digit first, the high bit on all digits but the last: the lengths of nearly all pieces
 * are one or two characters, which V8 makes from a table without allocating.
 */
import { latin1 } from '@rollcall/xml'

const TABLE_SIZE = 16_384
const table: string[] = new Array<string>(TABLE_SIZE).fill('')

/** A non-negative safe integer as wire text; throws `RangeError` for any other number. */
export function varint(value: number): string {
  if (value >= 0 && value < TABLE_SIZE) {
    const known = table[value]
    // An index that is no integer has no entry.
    if (known !== undefined) return known === '' ? (table[value] = digits(value)) : known
  }
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no wire number: ${value}`)
  return digits(value)
}

function digits(value: number): string {
  if (value >= TABLE_SIZE && value < 0x20_0000) {
    return String.fromCharCode(128 | (value & 127)) + String.fromCharCode(128 | ((value >> 7) & 127)) + String.fromCharCode(value >> 14)
  }
  let text = ''
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) text += String.fromCharCode(128 | (rest % 128))
  return text + String.fromCharCode(rest)
}

/** A number may take eight bytes. */
const DIGITS_MAX = 8
let scratch = new Uint8Array(1024 * DIGITS_MAX)

/**
 * Many numbers as wire text, without their count; throws as `varint`. Written as bytes: a string that grows by a character
 * or two at a time is a tree with a leaf for each, and a turn's worth of those keeps the collector busy.
 */
export function varints(values: readonly number[]): string {
  if (scratch.length < values.length * DIGITS_MAX) scratch = new Uint8Array(values.length * DIGITS_MAX * 2)
  let at = 0
  for (const value of values) {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no wire number: ${value}`)
    let rest = value
    for (; rest >= 0x4000_0000; rest = Math.floor(rest / 128)) scratch[at++] = 128 | (rest % 128)
    for (; rest >= 128; rest >>>= 7) scratch[at++] = 128 | (rest & 127)
    scratch[at++] = rest
  }
  return latin1(scratch, 0, at)
}

/** Text as a piece of wire text, its length first; anything beyond latin1 travels as JSON escapes. */
export function literal(text: string): string {
  if (isLatin1(text)) return varint(text.length * 2) + text
  const escaped = wireJson(text)
  return varint(escaped.length * 2 + 1) + escaped
}

/** JSON text of a value, in latin1 so that it can stand in wire text; throws `TypeError` for what JSON cannot hold. */
export function wireJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw new TypeError('not JSON data')
  return isLatin1(text) ? text : text.replace(/[^\x00-\xff]/g, escapeUnit)
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function isLatin1(text: string): boolean {
  return !/[^\x00-\xff]/.test(text)
}

/** Reads pieces one after the other. Reading beyond the end throws `RangeError`. One object is reused for many texts. */
export class WireReader {
  text = ''
  at = 0
  end = 0

  load(text: string, at: number, end: number): this {
    this.text = text
    this.at = at
    this.end = end
    return this
  }

  get isAtEnd(): boolean {
    return this.at >= this.end
  }

  /** One character's code. */
  code(): number {
    if (this.at >= this.end) throw new RangeError('wire text ends early')
    return this.text.charCodeAt(this.at++)
  }

  varint(): number {
    const first = this.code()
    return first < 128 ? first : this.#longVarint(first)
  }

  /** So many numbers, as `varints` wrote them. */
  varints(count: number): number[] {
    if (count > this.end - this.at) throw new RangeError('wire text ends early')
    const values: number[] = []
    for (let left = count; left > 0; left--) values.push(this.varint())
    return values
  }

  #longVarint(first: number): number {
    let value = first & 127
    for (let scale = 128; ; scale *= 128) {
      const digit = this.code()
      value += (digit & 127) * scale
      if (digit < 128) return value
    }
  }

  /** The next `length` characters: a slice that keeps the whole text alive. */
  take(length: number): string {
    const from = this.at
    this.at += length
    if (this.at > this.end) throw new RangeError('wire text ends early')
    return this.text.substring(from, this.at)
  }

  /** Everything up to the end. */
  rest(): string {
    return this.take(this.end - this.at)
  }

  /** As `rest`, but a copy where the slice would keep a text of more than `pinnedMax` characters alive. */
  keptRest(pinnedMax: number): string {
    const text = this.rest()
    return this.text.length > pinnedMax ? flatCopy(text) : text
  }

  literal(): string {
    const head = this.varint()
    const text = this.take(head >>> 1)
    return (head & 1) === 0 ? text : (JSON.parse(text) as string)
  }
}

/** A string of its own: joining writes new characters, where a slice keeps the text that it was cut from alive. */
export function flatCopy(text: string): string {
  return [text.substring(0, 1), text.substring(1)].join('')
}
