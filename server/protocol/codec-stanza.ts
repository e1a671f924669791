/**
 * A stanza as wire text: its two wire strings as they are, the index of its children, and its addresses.
 *
 *     flags, type, children (name, start, length)*, [from], [to], [trace], [stamp], id, length of attrs, attrs content
 *
 * Neither side scans XML. Addresses are parsed through the cache of `@rollcall/jid`, so the usual one costs a look-up. The
 * id is a place in `attrs`, where it nearly always stands as it is. Names come first because they change the table of
 * the connection: a stanza that turns out to be unreadable further on leaves both tables alike.
 */
import { literal, varint } from '@rollcall/ports'
import type { WireReader } from '@rollcall/ports'
import { parseJidWire } from '@rollcall/jid'
import { Stanza } from '@rollcall/stanza'
import type { StanzaChild, StanzaKind } from '@rollcall/stanza'
import type { NameReader, NameWriter } from './codec-names.ts'

const KINDS: readonly StanzaKind[] = ['message', 'presence', 'iq']
const KIND_BITS = 3
const HAS_FROM = 4
const HAS_TO = 8
const HAS_TRACE = 16
const HAS_LITERAL_ID = 32
const HAS_STAMP = 64

/** Part of the format: 0 stands for any other type, which is then spelt out. */
const TYPES = [
  undefined, '', 'chat', 'groupchat', 'normal', 'headline', 'error', 'get', 'set', 'result',
  'unavailable', 'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe',
] as const
const typeCodes = new Map<string | undefined, string>(TYPES.map((type, code) => [type, varint(code)]))

const noChildren: readonly StanzaChild[] = []

export function writeStanza(stanza: Stanza, names: NameWriter): string {
  const { kind, from, to, type, id, attrs, content, children, stamp, trace } = stanza
  const idAt = id === '' ? -1 : attrs.indexOf(id)
  const hasLiteralId = id !== '' && idAt < 0
  let flags = kind === 'message' ? 0 : kind === 'presence' ? 1 : 2
  if (from !== undefined) flags |= HAS_FROM
  if (to !== undefined) flags |= HAS_TO
  if (trace !== '') flags |= HAS_TRACE
  if (hasLiteralId) flags |= HAS_LITERAL_ID
  if (stamp !== '') flags |= HAS_STAMP
  let head = varint(flags) + (typeCodes.get(type) ?? varint(0) + literal(type)) + varint(children.length)
  for (const { name, ns, start, end } of children) head += names.write(name, ns) + varint(start) + varint(end - start)
  if (from !== undefined) head += varint(from.wire.length) + from.wire
  if (to !== undefined) head += varint(to.wire.length) + to.wire
  if (trace !== '') head += literal(trace)
  if (stamp !== '') head += literal(stamp)
  if (hasLiteralId) head += literal(id)
  else if (id === '') head += varint(0)
  else head += varint(id.length) + varint(idAt)
  return head + varint(attrs.length) + attrs + content
}

/** Takes everything that is left; throws `RangeError` or `JidError` for what `writeStanza` did not write. */
export function readStanza(reader: WireReader, names: NameReader): Stanza {
  const flags = reader.code()
  const kind = KINDS[flags & KIND_BITS]
  if (kind === undefined) throw new RangeError(`stanza of kind ${flags & KIND_BITS}`)
  const type = readType(reader)
  const children = readChildren(reader, names)
  const from = (flags & HAS_FROM) === 0 ? undefined : parseJidWire(reader.take(reader.varint()))
  const to = (flags & HAS_TO) === 0 ? undefined : parseJidWire(reader.take(reader.varint()))
  const trace = (flags & HAS_TRACE) === 0 ? '' : reader.literal()
  const stamp = (flags & HAS_STAMP) === 0 ? '' : reader.literal()
  const literalId = (flags & HAS_LITERAL_ID) === 0 ? undefined : reader.literal()
  const idLength = literalId === undefined ? reader.varint() : 0
  const idAt = idLength === 0 ? 0 : reader.varint()
  const attrsLength = reader.varint()
  const wire = flatCopy(reader.rest())
  const attrs = wire.substring(0, attrsLength)
  const id = literalId ?? attrs.substring(idAt, idAt + idLength)
  const stanza = new Stanza(kind, from, to, type, id, attrs, wire.substring(attrsLength), children)
  if (trace !== '') stanza.trace = trace
  if (stamp !== '') stanza.stamp = stamp
  return stanza
}

function readType(reader: WireReader): string {
  const code = reader.varint()
  if (code === 0) return reader.literal()
  const type = TYPES[code]
  if (type === undefined) throw new RangeError(`stanza of type ${code}`)
  return type
}

function readChildren(reader: WireReader, names: NameReader): readonly StanzaChild[] {
  const count = reader.varint()
  if (count === 0) return noChildren
  const children: StanzaChild[] = []
  for (let left = count; left > 0; left--) {
    const { name, ns } = names.read(reader)
    const start = reader.varint()
    children.push({ name, ns, start, end: start + reader.varint() })
  }
  return children
}

/**
 * A copy that does not pin the chunk it came in: stanzas are kept (presence of a session, queues), and one of 300 bytes
 * would hold on to 64 KiB. Joining writes a new string, which `slice` would not.
 */
function flatCopy(text: string): string {
  return [text.substring(0, 1), text.substring(1)].join('')
}
