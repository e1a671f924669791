/**
 * A stanza as wire text: its two wire strings as they are, the index of its children, and its addresses.
 *
 *     flags, type, children (name, start, length)*, [from], [to], [trace], [length of stamp], id, length of attrs, stamp attrs content
 *
 * Neither side scans XML. Addresses are parsed through the cache of `@rollcall/jid`, so the usual one costs a look-up. The
 * id is a place in `attrs`, where it nearly always stands as it is. Names come first because they change the table of
 * the connection: a stanza that turns out to be unreadable further on leaves both tables alike.
 */
import { literal, varint } from '@rollcall/ports'
import type { WireReader } from '@rollcall/ports'
import { Stanza } from '@rollcall/stanza'
import type { StanzaChild, StanzaKind } from '@rollcall/stanza'
import { JidReader, JidWriter } from './codec-jids.ts'
import { NameReader, NameWriter } from './codec-names.ts'

const KINDS: readonly StanzaKind[] = ['message', 'presence', 'iq']
const KIND_BITS = 3
const HAS_TRACE = 4
const HAS_LITERAL_ID = 8
const HAS_STAMP = 64

/** Part of the format: 0 stands for any other type, which is then spelt out. */
const TYPES = [
  undefined, '', 'chat', 'groupchat', 'normal', 'headline', 'error', 'get', 'set', 'result',
  'unavailable', 'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed', 'probe',
] as const
const typeCodes = new Map<string | undefined, string>(TYPES.map((type, code) => [type, varint(code)]))

const CHAT = varint(TYPES.indexOf('chat'))

const noChildren: readonly StanzaChild[] = []

/** What is kept, in queues and as presence of sessions, is copied when it would keep a longer text alive. */
export const PINNED_CHARS_MAX = 1024

/** What the sender of a connection remembers. */
export class WriterTables {
  readonly names = new NameWriter()
  readonly jids = new JidWriter()
}
/** What its receiver remembers. */
export class ReaderTables {
  readonly names = new NameReader()
  readonly jids = new JidReader()
}

export function writeStanza(stanza: Stanza, { names, jids }: WriterTables): string {
  const { kind, from, to, type, id, attrs, content, children, stamp, trace } = stanza
  const idAt = id === '' ? -1 : attrs.indexOf(id)
  const hasLiteralId = id !== '' && idAt < 0
  let flags = kind === 'message' ? 0 : kind === 'presence' ? 1 : 2
  if (trace !== '') flags |= HAS_TRACE
  if (hasLiteralId) flags |= HAS_LITERAL_ID
  if (stamp !== '') flags |= HAS_STAMP
  // A client's type is a new string each time, which would be hashed to be looked up.
  const typeCode = type === 'chat' ? CHAT : typeCodes.get(type) ?? varint(0) + literal(type)
  let head = varint(flags) + typeCode + varint(children.length)
  for (const { name, ns, start, end } of children) head += names.write(name, ns) + varint(start) + varint(end - start)
  head += jids.write(from) + jids.write(to)
  if (trace !== '') head += literal(trace)
  // Among themselves first: V8 copies texts of up to 12 characters, and makes a node of a tree from longer ones.
  let lengths = stamp === '' ? '' : varint(stamp.length)
  if (hasLiteralId) lengths += literal(id)
  else if (id === '') lengths += varint(0)
  else lengths += varint(id.length) + varint(idAt)
  return head + (lengths + varint(attrs.length)) + stamp + attrs + content
}

/** Takes everything that is left; throws `RangeError` for what `writeStanza` did not write, or for an address that is refused. */
export function readStanza(reader: WireReader, { names, jids }: ReaderTables): Stanza {
  const flags = reader.code()
  const kind = KINDS[flags & KIND_BITS]
  if (kind === undefined) throw new RangeError(`stanza of kind ${flags & KIND_BITS}`)
  const type = readType(reader)
  const children = readChildren(reader, names)
  jids.hasRefused = false
  const from = jids.read(reader)
  const to = jids.read(reader)
  if (jids.hasRefused) throw new RangeError('stanza with an address that is refused')
  const trace = (flags & HAS_TRACE) === 0 ? '' : reader.literal()
  const stampLength = (flags & HAS_STAMP) === 0 ? 0 : reader.varint()
  const literalId = (flags & HAS_LITERAL_ID) === 0 ? undefined : reader.literal()
  const idLength = literalId === undefined ? reader.varint() : 0
  const idAt = idLength === 0 ? 0 : reader.varint()
  const attrsLength = reader.varint()
  const wire = reader.keptRest(PINNED_CHARS_MAX)
  const contentAt = stampLength + attrsLength
  const attrs = wire.substring(stampLength, contentAt)
  const id = literalId ?? attrs.substring(idAt, idAt + idLength)
  const stanza = new Stanza(kind, from, to, type, id, attrs, wire.substring(contentAt), children)
  if (trace !== '') stanza.trace = trace
  if (stampLength > 0) stanza.stamp = wire.substring(0, stampLength)
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
