/**
 * The wire form of the messages between members, for buses that leave the process.
 *
 * A message is a letter and what the letter says. The kinds that stanzas and their delivery consist of have letters and
 * forms of their own (below); every other kind, and every reply, is tagged JSON (`codec-json.ts`). A version that knows no
 * such letter ignores the message; a hot form never changes its fields: what must carry more gets a new letter. In JSON,
 * fields that a reader does not know are there and nobody looks at them.
 *
 *     D deliver           conn, wire            A client-answered   conn, mark, wire
 *     P deliver-presence  conn, wire            p the same with the wire of the last one: an account's next session
 *     W deliver-broadcast head, tail, connections, lengths of addresses, addresses; each list its number first
 *     C client-stanza     conn, mark, stanza    S component-stanza  conn, stanza
 *     N client-nonza      conn, mark, element   R route             mark, stanza
 *     B broadcast         mark, targets, stanza               O safe       seq, number of also, also
 *     b the same          mark, time of the change, targets, stanza
 *     L ledger-counts     number of them, then each: key, handled, since
 *
 * `mark` is 0 without `seq`, 1 when `seq` is one more than that of the last mark, and else in full: 2 + 2 × `seq` (0 when
 * absent), plus one when `isAgain`.
 *
 * What the core gets is kept (stanzas, answers), so it is copied out of the text that it came in. A delivered wire string is
 * not: it is a slice that keeps up to 64 KiB alive, for an edge writes it and forgets it; copying would be a fifth of the
 * crossing. Whoever keeps it for longer than a turn copies it (`flatCopy`).
 */
import { literal, varint, varints } from '@rollcall/ports'
import type { BusCodec, BusDecoder, BusEncoder, WireReader } from '@rollcall/ports'
import { XmlElement } from '@rollcall/xml'
import type { XmlNode } from '@rollcall/xml'
import { fromTaggedJson, toTaggedJson } from './codec-json.ts'
import { PINNED_CHARS_MAX, ReaderTables, WriterTables, readStanza, writeStanza } from './codec-stanza.ts'
import type { Confirmed } from './member-messages.ts'
import { PROTOCOL_VERSION } from './messages.ts'
import type { RouteBroadcast, ServerMessage } from './messages.ts'
import type { DeliverBroadcast } from './presence-messages.ts'

const LETTER = {
  deliver: 68, presence: 80, presenceAgain: 112, answered: 65, shared: 87,
  client: 67, nonza: 78, component: 83, route: 82, broadcast: 66, change: 98, safe: 79, ledgerCounts: 76, json: 74,
} as const

class Encoder implements BusEncoder<ServerMessage> {
  readonly #tables = new WriterTables()
  #wire = ''
  #seq = 0

  message(message: ServerMessage): string {
    switch (message.kind) {
      case 'deliver':
        return 'D' + varint(message.conn) + message.wire
      case 'deliver-presence':
        return message.wire === this.#wire ? 'p' + varint(message.conn) : 'P' + varint(message.conn) + (this.#wire = message.wire)
      case 'deliver-broadcast':
        return 'W' + sharedText(message)
      case 'client-stanza':
        return 'C' + varint(message.conn) + this.#mark(message) + writeStanza(message.stanza, this.#tables)
      case 'route':
        return 'R' + this.#mark(message) + writeStanza(message.stanza, this.#tables)
      case 'broadcast':
        return this.#begin(message) + this.#tables.jids.writeAll(message.targets) + writeStanza(message.stanza, this.#tables)
      case 'client-answered':
        return 'A' + varint(message.conn) + this.#mark(message) + message.wire
      case 'client-nonza':
        return 'N' + varint(message.conn) + this.#mark(message) + this.#element(message.element)
      case 'safe':
        return 'O' + varint(message.seq) + varint(message.also.length) + varints(message.also)
      case 'ledger-counts': {
        let text = 'L' + varint(message.counts.length)
        for (const { key, handled, since } of message.counts) text += literal(key) + varint(handled) + varint(since)
        return text
      }
      case 'component-stanza':
        return 'S' + varint(message.conn) + writeStanza(message.stanza, this.#tables)
      default:
        return 'J' + toTaggedJson(message)
    }
  }

  value(value: unknown): string {
    return toTaggedJson(value)
  }

  #begin(message: RouteBroadcast): string {
    const { changedAt } = message.stanza
    return changedAt === 0 ? 'B' + this.#mark(message) : 'b' + this.#mark(message) + varint(changedAt)
  }

  #mark({ seq = 0, isAgain }: Confirmed): string {
    if (isAgain === undefined) {
      if (seq === 0) return varint(0)
      if (seq === this.#seq + 1) {
        this.#seq = seq
        return varint(1)
      }
    }
    const mark = varint(2 + 2 * seq + (isAgain === true ? 1 : 0))
    this.#seq = seq
    return mark
  }

  /** Name, number of attributes, attributes, number of children, children: each with what it is, 0 text or 1 element. */
  #element(element: XmlElement): string {
    let text = this.#tables.names.write(element.name, element.ns) + varint(element.attributes.size)
    for (const [key, value] of element.attributes) text += literal(key) + literal(value)
    text += varint(element.children.length)
    for (const node of element.children) text += typeof node === 'string' ? varint(0) + literal(node) : varint(1) + this.#element(node)
    return text
  }
}

function sharedText({ head, tail, conns, addresses }: DeliverBroadcast): string {
  const lengths = addresses.map(address => address.length)
  return varint(head.length) + head + varint(tail.length) + tail
    + varint(conns.length) + varints(conns) + varint(lengths.length) + varints(lengths) + addresses.join('')
}

function readShared(reader: WireReader): DeliverBroadcast {
  const head = reader.take(reader.varint())
  const tail = reader.take(reader.varint())
  const conns = reader.varints(reader.varint())
  const lengths = reader.varints(reader.varint())
  return { kind: 'deliver-broadcast', head, tail, conns, addresses: lengths.map(length => reader.take(length)) }
}

class Decoder implements BusDecoder<ServerMessage> {
  readonly #tables = new ReaderTables()
  #wire = ''
  #lastSeq = 0
  /** Of the message that is being read. */
  #seq: number | undefined
  #isAgain: true | undefined

  message(reader: WireReader): ServerMessage | undefined {
    let conn: number
    switch (reader.code()) {
      case LETTER.deliver:
        return { kind: 'deliver', conn: reader.varint(), wire: reader.rest() }
      case LETTER.presence:
        return { kind: 'deliver-presence', conn: reader.varint(), wire: (this.#wire = reader.rest()) }
      case LETTER.presenceAgain:
        return { kind: 'deliver-presence', conn: reader.varint(), wire: this.#wire }
      case LETTER.shared:
        return readShared(reader)
      case LETTER.json:
        return fromTaggedJson(reader.rest()) as ServerMessage
      case LETTER.client:
        conn = reader.varint()
        this.#readMark(reader)
        return { kind: 'client-stanza', conn, stanza: readStanza(reader, this.#tables), seq: this.#seq, isAgain: this.#isAgain }
      case LETTER.route:
        this.#readMark(reader)
        return { kind: 'route', stanza: readStanza(reader, this.#tables), seq: this.#seq, isAgain: this.#isAgain }
      case LETTER.broadcast:
        this.#readMark(reader)
        return this.#broadcast(reader, 0)
      case LETTER.change:
        this.#readMark(reader)
        return this.#broadcast(reader, reader.varint())
      case LETTER.answered:
        conn = reader.varint()
        this.#readMark(reader)
        return { kind: 'client-answered', conn, wire: reader.keptRest(PINNED_CHARS_MAX), seq: this.#seq, isAgain: this.#isAgain }
      case LETTER.nonza:
        conn = reader.varint()
        this.#readMark(reader)
        return { kind: 'client-nonza', conn, element: this.#element(reader), seq: this.#seq, isAgain: this.#isAgain }
      case LETTER.safe:
        return { kind: 'safe', seq: reader.varint(), also: reader.varints(reader.varint()) }
      case LETTER.ledgerCounts: {
        const counts = []
        for (let left = reader.varint(); left > 0; left--) counts.push({ key: reader.literal(), handled: reader.varint(), since: reader.varint() })
        return { kind: 'ledger-counts', counts }
      }
      case LETTER.component:
        return { kind: 'component-stanza', conn: reader.varint(), stanza: readStanza(reader, this.#tables) }
      default:
        return undefined
    }
  }

  value(reader: WireReader): unknown {
    return fromTaggedJson(reader.rest())
  }

  #readMark(reader: WireReader): void {
    const mark = reader.varint()
    this.#isAgain = undefined
    if (mark === 0) {
      this.#seq = undefined
      return
    }
    if (mark === 1) {
      this.#seq = ++this.#lastSeq
      return
    }
    this.#lastSeq = Math.floor(mark / 2) - 1
    this.#seq = this.#lastSeq === 0 ? undefined : this.#lastSeq
    this.#isAgain = mark % 2 === 1 ? true : undefined
  }

  #broadcast(reader: WireReader, changedAt: number): ServerMessage {
    // One that this version refuses has no account here.
    const targets = this.#tables.jids.readAll(reader)
    const stanza = readStanza(reader, this.#tables)
    stanza.changedAt = changedAt
    return { kind: 'broadcast', stanza, targets, seq: this.#seq, isAgain: this.#isAgain }
  }

  #element(reader: WireReader): XmlElement {
    const { name, ns } = this.#tables.names.read(reader)
    const attributes = new Map<string, string>()
    for (let left = reader.varint(); left > 0; left--) attributes.set(reader.literal(), reader.literal())
    const children: XmlNode[] = []
    for (let left = reader.varint(); left > 0; left--) children.push(reader.varint() === 0 ? reader.literal() : this.#element(reader))
    return new XmlElement(name, ns, attributes, children)
  }
}

/** The codec of `ServerMessage`. */
export const serverCodec: BusCodec<ServerMessage> = {
  protocolVersion: PROTOCOL_VERSION,
  encoder: () => new Encoder(),
  decoder: () => new Decoder(),
}
