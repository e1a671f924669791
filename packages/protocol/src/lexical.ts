/**
 * Lexical types: how a value is written as the text of an attribute or element.
 *
 * Types other than string and jid ignore whitespace around the value, as XML Schema's do (a resourcepart may end in one).
 */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { LexicalError, quoted } from './codec-error.ts'
import { formatDateTime, parseDateTime } from './date-time.ts'

/** A pair of functions between text and value; both throw LexicalError. `format` then `parse` is identity. */
export interface Lexical<T> {
  /** Name of the type, for documentation and for generators of test values. */
  readonly type: string
  /** The whole value space, where it is a short list. */
  readonly values?: readonly T[]
  parse(text: string): T
  format(value: T): string
}

export const stringType: Lexical<string> = { type: 'string', parse: (text) => text, format: (value) => value }

/** A whole number from `min` to `max`, both inclusive and within the safe integers. */
export function integerType(type: string, min: number, max: number): Lexical<number> {
  return {
    type,
    parse(text) {
      const value = /^[+-]?\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN
      if (!Number.isSafeInteger(value)) throw new LexicalError(`${quoted(text)} is not a whole number`)
      if (value < min || value > max) throw new LexicalError(`${value} is not from ${min} to ${max}`)
      return value === 0 ? 0 : value
    },
    format(value) {
      if (!Number.isSafeInteger(value)) throw new LexicalError(`${value} is not a whole number`)
      if (value < min || value > max) throw new LexicalError(`${value} is not from ${min} to ${max}`)
      return String(value)
    },
  }
}

export const uintType = integerType('uint', 0, Number.MAX_SAFE_INTEGER)
export const intType = integerType('int', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)

export const boolType: Lexical<boolean> = {
  type: 'bool',
  parse(text) {
    const word = text.trim()
    if (word === 'true' || word === '1') return true
    if (word === 'false' || word === '0') return false
    throw new LexicalError(`${quoted(text)} is not true or false`)
  },
  format: (value) => (value ? 'true' : 'false'),
}

export const jidType: Lexical<Jid> = {
  type: 'jid',
  parse(text) {
    try {
      return parseJid(text)
    } catch (error) {
      const why = error instanceof Error ? `: ${error.message}` : ''
      throw new LexicalError(`${quoted(text)} is not a JID${why}`, { cause: error })
    }
  },
  format: (value) => value.toString(),
}

/** One of a list of words. */
export function enumType<const V extends readonly string[]>(values: V): Lexical<V[number]> {
  const find = (text: string): V[number] => {
    const found = values.find((value) => value === text)
    if (found === undefined) throw new LexicalError(`${quoted(text)} is not one of ${values.join(', ')}`)
    return found
  }
  return { type: 'enum', values, parse: (text) => find(text.trim()), format: find }
}

/** Milliseconds since 1970-01-01T00:00:00Z, written by the DateTime profile of XEP-0082. */
export const dateTimeType: Lexical<number> = {
  type: 'dateTime',
  parse: (text) => parseDateTime(text.trim()),
  format: formatDateTime,
}

const strictBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Bytes as base64 of RFC 4648 §4 with padding; nothing outside the alphabet is accepted inside (RFC 6120 §13.9.1). */
export const base64Type: Lexical<Uint8Array> = {
  type: 'base64',
  parse(text) {
    const code = text.trim()
    if (!strictBase64.test(code)) throw new LexicalError(`${quoted(text)} is not base64`)
    return Uint8Array.from(atob(code), (char) => char.charCodeAt(0))
  },
  format(value) {
    let bytes = ''
    for (const byte of value) bytes += String.fromCharCode(byte)
    return btoa(bytes)
  },
}
