/**
 * What a client sends once its resource is bound: stanzas (RFC 6120 §8), and the elements that are none (XEP-0198, XEP-0352).
 *
 * This is the hot path of the edge: checked, given its sender, and passed on to the core as it was written.
 */
import { JidError, parseJidWire } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { errorReply, NS_CLIENT, StanzaError } from '@rollcall/stanza'
import type { Stanza, StanzaKind } from '@rollcall/stanza'
import { escapeAttribute } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'
import type { Connection } from './connection.ts'
import type { Hub } from './hub.ts'
import type { RemoteSession } from './remote-session.ts'
import { readStanza, stanzaKind } from './stanza-in.ts'
import { NS_BIND, NS_CSI, NS_SESSION, NS_SM } from './stream-wire.ts'

export class ClientStanzas {
  readonly #hub: Hub

  constructor(hub: Hub) {
    this.#hub = hub
  }

  /** Takes any element of a client whose resource is bound. */
  element(connection: Connection, frame: Frame): void {
    const kind = stanzaKind(frame, NS_CLIENT)
    if (kind !== undefined) this.#stanza(connection, frame, kind)
    else if (frame.ns === NS_CSI || (frame.ns === NS_SM && connection.transport !== 'bosh')) this.#nonza(connection, frame)
    else connection.refuseElement(frame, 'unsupported-stanza-type')
  }

  /** An iq as a stanza without sender, or undefined after it was answered with an error. */
  readIq(connection: Connection, frame: Frame): Stanza | undefined {
    const to = this.#readTo(connection, frame, 'iq', undefined)
    if (to === null) return undefined
    const stanza = readStanza(frame, 'iq', undefined, to, connection.lang)
    return this.#isGoodIq(connection, stanza) ? stanza : undefined
  }

  /** Only the core knows what has been handled, so it answers; in order with the stanzas. */
  #nonza(connection: Connection, frame: Frame): void {
    if (frame.name === 'enable') connection.isManaged = true
    if (connection.remote !== undefined) noteCounters(connection.remote, frame, this.#hub.nowMs)
    this.#hub.sendFromClient(connection, { kind: 'client-nonza', conn: connection.id, element: frame.toElement() })
  }

  #stanza(connection: Connection, frame: Frame, kind: StanzaKind): void {
    const { jid } = connection
    if (jid === undefined) return
    const from = frame.attributeWire('from')
    if (from !== undefined && from !== jid.wire && !isOwnAddress(from, jid)) {
      // RFC 6120 §8.1.2.1
      connection.fail({ condition: 'invalid-from' })
      return
    }
    const to = this.#readTo(connection, frame, kind, jid)
    if (to === null) return
    const stanza = readStanza(frame, kind, jid, to, connection.lang)
    if (kind === 'iq' && (!this.#isGoodIq(connection, stanza) || this.#isOwnIq(connection, stanza))) return
    this.#hub.metrics.stanzasIn.add(1)
    if (this.#hub.ports.log.isDebug) this.#trace(connection, stanza)
    if (connection.remote !== undefined) this.#count(connection.remote, stanza)
    this.#hub.sendFromClient(connection, { kind: 'client-stanza', conn: connection.id, stanza })
  }

  #count(remote: RemoteSession, stanza: Stanza): void {
    remote.received++
    if (stanza.kind === 'message') stanza.stamp = remote.stamp((bytes) => this.#hub.ports.crypto.hash('SHA-512', bytes))
  }

  /** Gives the stanza the id under which every further step logs it. */
  #trace(connection: Connection, stanza: Stanza): void {
    const { log, random } = this.#hub.ports
    stanza.trace = random.id()
    const { kind, type, id } = stanza
    log.debug('stanza-received', { trace: stanza.trace, conn: connection.id, kind, type, id, from: stanza.from?.toString(), to: stanza.to?.toString() })
  }

  /** The addressee; null after a malformed one was answered (RFC 6120 §8.3.3.8). */
  #readTo(connection: Connection, frame: Frame, kind: StanzaKind, from: Jid | undefined): Jid | undefined | null {
    const wire = frame.attributeWire('to')
    if (wire === undefined) return undefined
    try {
      return parseJidWire(wire)
    } catch (error) {
      if (!(error instanceof JidError)) throw error
      this.refuse(connection, readStanza(frame, kind, from, undefined, ''), new StanzaError('jid-malformed', error.message))
      return null
    }
  }

  /** RFC 6120 §8.2.3: an iq has an id and one of four types. */
  #isGoodIq(connection: Connection, stanza: Stanza): boolean {
    const { type, id } = stanza
    if (id !== '' && (type === 'get' || type === 'set' || type === 'result' || type === 'error')) return true
    this.refuse(connection, stanza, new StanzaError('bad-request', id === '' ? 'an iq needs an id' : 'unknown type of iq'))
    return false
  }

  /** What the edge itself offers as a feature and therefore answers: the session of old, and no second resource. */
  #isOwnIq(connection: Connection, stanza: Stanza): boolean {
    if (stanza.type !== 'set') return false
    const ns = stanza.children[0]?.ns
    if (ns !== NS_SESSION && ns !== NS_BIND) return false
    if (stanza.to !== undefined && !stanza.to.isDomain && stanza.to !== connection.jid?.bare) return false
    if (ns === NS_BIND) this.refuse(connection, stanza, new StanzaError('not-allowed', 'one resource per stream'))
    else this.#answerStanza(connection, `<iq type='result' id='${escapeAttribute(stanza.id)}'/>`)
    return true
  }

  /** Answers with an error a stanza that no core saw. */
  refuse(connection: Connection, stanza: Stanza, error: StanzaError): void {
    this.#hub.metrics.stanzasRefused.add(1)
    this.#answerStanza(connection, errorReply(stanza, error)?.toWire() ?? '')
  }

  /** Answers a stanza that no core saw: '' is no answer. Where stanzas are counted, the core counts it and the answer. */
  #answerStanza(connection: Connection, wire: string): void {
    if (connection.isManaged) {
      if (connection.remote !== undefined) connection.remote.received++
      this.#hub.sendFromClient(connection, { kind: 'client-answered', conn: connection.id, wire })
    } else if (wire !== '') connection.sendStanza(wire)
  }
}

/** Follows the counters of stream management, which the core owns. */
function noteCounters(remote: RemoteSession, frame: Frame, nowMs: number): void {
  if (frame.ns !== NS_SM) return
  if (frame.name === 'a') remote.acknowledged(Number(frame.attribute('h') ?? '0'), nowMs)
  else if (frame.name === 'enable' && !remote.isManaged) remote.received = 0
}

function isOwnAddress(wire: string, jid: Jid): boolean {
  try {
    const from = parseJidWire(wire)
    return from.isBare ? from.bareEquals(jid) : from.equals(jid)
  } catch (error) {
    if (error instanceof JidError) return false
    throw error
  }
}
