/**
 * Any message or reply as JSON: for the kinds that are not worth a form of their own.
 *
 * What JSON does not have is an object with one key that begins with `$`; an object that has such a key itself is wrapped
 * too. Anything else than data is refused with `TypeError`, so that a new kind of value is noticed when it is first sent.
 */
import { Jid, parseJid } from '@rollcall/jid'
import { wireJson } from '@rollcall/ports'
import { Stanza, decodeStanza, encodeStanza } from '@rollcall/stanza'
import type { StanzaRecord } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'

const DOLLAR = 36

type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain }

/** Wire text of a value; '' stands for undefined. */
export function toTaggedJson(value: unknown): string {
  return value === undefined ? '' : wireJson(toPlain(value))
}

/** Throws `SyntaxError`, `JidError` or `TypeError` for what `toTaggedJson` did not write. */
export function fromTaggedJson(text: string): unknown {
  return text === '' ? undefined : fromPlain(JSON.parse(text) as Plain)
}

function toPlain(value: unknown): Plain {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`no number for JSON: ${value}`)
      return value
    case 'object':
      return value === null ? null : objectToPlain(value)
    default:
      throw new TypeError(`a ${typeof value} cannot travel`)
  }
}

function objectToPlain(value: object): Plain {
  if (Array.isArray(value)) return value.map(item => (item === undefined ? { $u: 0 } : toPlain(item)))
  if (value instanceof Jid) return { $jid: value.toString() }
  if (value instanceof Uint8Array) return { $b: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  if (value instanceof XmlElement) return { $x: elementToPlain(value) }
  if (value instanceof Stanza) return { $s: [encodeStanza(value), value.trace, value.stamp] }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError(`a ${value.constructor.name} cannot travel`)
  const keys = Object.keys(value)
  if (keys.some(isUnusual)) return unusualToPlain(value)
  // One object and no lists on the way: several of these cross for every login.
  const plain: Record<string, Plain> = {}
  for (const key of keys) {
    const item: unknown = (value as Readonly<Record<string, unknown>>)[key]
    if (item !== undefined) plain[key] = toPlain(item)
  }
  return plain
}

function isUnusual(key: string): boolean {
  return key.charCodeAt(0) === DOLLAR || key === '__proto__'
}

function unusualToPlain(value: object): Plain {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined).map(([key, item]): [string, Plain] => [key, toPlain(item)])
  if (entries.some(([key]) => key.startsWith('$'))) return { $o: entries }
  // Not by assignment, which `__proto__` would turn into something else.
  return Object.fromEntries(entries)
}

function elementToPlain({ name, ns, attributes, children }: XmlElement): Plain {
  return [name, ns, [...attributes], children.map(node => (typeof node === 'string' ? node : elementToPlain(node)))]
}

function fromPlain(value: Plain): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromPlain)
  // In place: what was parsed is nobody else's. `__proto__` is a property of its own here, and stays one.
  const parsed = value as Record<string, Plain>
  const keys = Object.keys(parsed)
  const first = keys[0]
  if (first?.charCodeAt(0) === DOLLAR) return fromTagged(first, parsed[first] as Plain)
  for (const key of keys) {
    const item = parsed[key] as Plain
    if (typeof item === 'object' && item !== null) parsed[key] = fromPlain(item) as Plain
  }
  return parsed
}

function fromEntries(entries: readonly (readonly [string, Plain])[]): unknown {
  return Object.fromEntries(entries.map(([key, item]) => [key, fromPlain(item)]))
}

function fromTagged(tag: string, value: Plain): unknown {
  switch (tag) {
    case '$jid':
      return parseJid(value as string)
    case '$b':
      return new Uint8Array(Buffer.from(value as string, 'base64'))
    case '$x':
      return elementFromPlain(value as readonly Plain[])
    case '$s': {
      const [record, trace, stamp] = value as unknown as [StanzaRecord, string, string]
      const stanza = decodeStanza(record)
      stanza.trace = trace
      stanza.stamp = stamp
      return stanza
    }
    case '$o':
      return fromEntries(value as unknown as readonly [string, Plain][])
    case '$u':
      return undefined
    default:
      throw new TypeError(`unknown tag ${tag}`)
  }
}

function elementFromPlain(value: readonly Plain[]): XmlElement {
  const [name, ns, attributes, children] = value as unknown as [string, string, [string, string][], readonly (string | Plain[])[]]
  return new XmlElement(name, ns, new Map(attributes), children.map(node => (typeof node === 'string' ? node : elementFromPlain(node))))
}
