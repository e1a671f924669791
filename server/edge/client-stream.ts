/**
 * A client's stream from its header to its stanzas (RFC 6120 §4 to §8): the negotiation as a state machine over
 * `Connection.stage`, and the hot path once a resource is bound.
 *
 * One object serves all clients. While an answer of the core is awaited the connection is held (`HOLD_BUSY`), so that
 * elements are handled strictly one after the other whatever the client pipelines.
 */
import { JidError, parseJidWire } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { CodecError, SmFailed, SmResume } from '@rollcall/protocol'
import { errorReply, NS_CLIENT, StanzaError } from '@rollcall/stanza'
import type { Stanza, StanzaKind } from '@rollcall/stanza'
import { saslSession } from '@rollcall/stream'
import type { SaslReply, TokenContext } from '@rollcall/stream'
import { escapeAttribute, escapeText } from '@rollcall/xml'
import type { Frame, StreamHeader } from '@rollcall/xml'
import type { BindReply, HostInfo, ResumeReply } from '../protocol/messages.ts'
import { isLoopback } from './address-guard.ts'
import type { Connection, StreamService } from './connection.ts'
import { BusCredentials } from './credentials.ts'
import { boundFeatures, tlsFeature } from './features.ts'
import { checkHeaderNames, checkOpening, openingOf } from './header-rules.ts'
import type { CheckedOpening, Opening } from './header-rules.ts'
import { handOn } from './hand-on.ts'
import type { Hub } from './hub.ts'
import type { Negotiation } from './negotiation.ts'
import { Offers } from './offers.ts'
import type { RemoteSession } from './remote-session.ts'
import { Sasl2Login } from './sasl2-login.ts'
import { readStanza, stanzaKind } from './stanza-in.ts'
import { holdUntil, noteFailure, sessionOrUndo, startStanzas } from './stream-steps.ts'
import { faultOf, NS_BIND, NS_CSI, NS_SASL, NS_SASL2, NS_SESSION, NS_SM, NS_TLS } from './stream-wire.ts'

const NO_BINDINGS: ReadonlyMap<string, Uint8Array> = new Map()
const NS_REGISTER = 'jabber:iq:register'
/** XEP-0198 §3: asked for at the wrong time. */
const SM_FAILED = SmFailed.toWire({ condition: { name: 'unexpected-request' } })

/** A connection that TLS can be started on; others never offer it. */
export interface Upgradable {
  readonly mayUpgrade: boolean
  upgrade(): void
}

/** What a connection knows about its TLS, for SASL. */
export interface Secured {
  channelBindings(): ReadonlyMap<string, Uint8Array>
  certificateIdentities(): readonly string[]
  /** As XEP-0515 writes it. */
  tlsVersion(): string | undefined
}

export class ClientStream implements StreamService {
  readonly contentNs = NS_CLIENT
  readonly isShared = true
  readonly #hub: Hub
  readonly #sasl2: Sasl2Login
  readonly #offers = new Offers()

  constructor(hub: Hub) {
    this.#hub = hub
    this.#sasl2 = new Sasl2Login(hub)
  }

  outputBytesMax(): number {
    return this.#hub.config.limits.outputBytesMax
  }

  // ------------------------------------------------------------------------------------ header

  header(connection: Connection, header: StreamHeader): void {
    const opening = openingOf(header.attributes)
    const fault = checkHeaderNames(header, NS_CLIENT)
    if (fault === undefined) this.opening(connection, opening)
    else connection.fail(fault)
  }

  opening(connection: Connection, opening: Opening): void {
    if (connection.stage !== 'header') {
      connection.fail({ condition: 'bad-format', text: 'a second stream header' })
      return
    }
    const verdict = checkOpening(opening)
    if (verdict.fault !== undefined) {
      connection.fail(verdict.fault)
      return
    }
    if (this.#hub.isDraining) {
      connection.fail({ condition: 'system-shutdown' })
      return
    }
    this.#accept(connection, verdict.opening)
  }

  #accept(connection: Connection, opening: CheckedOpening): void {
    const { negotiation } = connection
    if (negotiation === undefined) return
    connection.lang = opening.lang
    connection.peer = opening.from?.toString()
    const claimed = opening.from?.localpart === '' ? undefined : opening.from
    if (claimed !== undefined && !opening.host.equals(claimed.domain)) {
      // XEP-0388 §2.1, RFC 6120 §4.9.3.9
      connection.fail({ condition: 'invalid-from' })
      return
    }
    negotiation.from = claimed
    if (negotiation.account !== undefined) {
      this.#acceptAgain(connection, negotiation, opening)
      return
    }
    const info = this.#hub.hostInfo(opening.host)
    if (!(info instanceof Promise)) {
      this.#acceptHost(connection, negotiation, opening, info)
      return
    }
    holdUntil(this.#hub, connection, info, (known) => this.#acceptHost(connection, negotiation, opening, known))
  }

  /** The header after authentication must not change who is spoken to, nor who speaks. */
  #acceptAgain(connection: Connection, negotiation: Negotiation, { host, from }: CheckedOpening): void {
    if (connection.host === undefined || !connection.host.equals(host)) {
      connection.fail({ condition: 'host-unknown', text: 'authenticated for another host' })
    } else if (from !== undefined && from.localpart !== '' && negotiation.account !== undefined && !from.bareEquals(negotiation.account)) {
      // COMPAT(XML::Stream, that is sendxmpp): it sends the name of its machine, which claims to be nobody.
      connection.fail({ condition: 'invalid-from' })
    } else if (negotiation.hostInfo !== undefined) {
      connection.open()
      connection.stage = 'authenticated'
      connection.sendControl(features(boundFeatures(negotiation.hostInfo, this.#hub.config, connection.transport !== 'bosh')))
    }
  }

  #acceptHost(connection: Connection, negotiation: Negotiation, { host }: CheckedOpening, info: HostInfo | undefined): void {
    if (info === undefined) {
      connection.fail({ condition: 'host-unknown' })
      return
    }
    connection.host = host
    negotiation.hostInfo = info
    connection.open()
    connection.stage = 'negotiating'
    this.#offer(connection, negotiation, host, info)
  }

  #offer(connection: Connection, negotiation: Negotiation, host: Jid, info: HostInfo): void {
    const { config, ports } = this.#hub
    const mayUpgrade = isUpgradable(connection) && connection.mayUpgrade
    if (config.isTlsRequired && !connection.isSecure && (mayUpgrade || !isLoopback(connection.address))) {
      if (mayUpgrade) connection.sendControl(features(tlsFeature(true)))
      else connection.fail({ condition: 'policy-violation', text: 'use TLS' })
      return
    }
    const secured = isSecured(connection) ? connection : undefined
    const context: TokenContext = {
      host: host.domainpart,
      isSecure: connection.isSecure,
      channelBindings: secured?.channelBindings() ?? NO_BINDINGS,
      certificateIdentities: secured?.certificateIdentities() ?? [],
      policy: config.sasl,
      ...tlsVersionOf(secured),
      credentials: new BusCredentials(this.#hub, host, connection.address),
      crypto: ports.crypto,
    }
    const { wire, offer, version } = this.#offers.find(context, info, config, { mayUpgrade, isManageable: connection.transport !== 'bosh' })
    negotiation.context = { ...context, offer }
    negotiation.featuresVersion = version
    connection.sendControl(features(wire))
  }

  // ------------------------------------------------------------------------------------ elements

  element(connection: Connection, frame: Frame): void {
    if (connection.stage === 'bound') {
      const kind = stanzaKind(frame, NS_CLIENT)
      if (kind !== undefined) this.#stanza(connection, frame, kind)
      else if (frame.ns === NS_CSI || (frame.ns === NS_SM && connection.transport !== 'bosh')) this.#nonza(connection, frame)
      else connection.refuseElement(frame, 'unsupported-stanza-type')
      return
    }
    const { negotiation } = connection
    if (negotiation === undefined) return
    if (++negotiation.elements > this.#hub.config.limits.preAuthElementsMax) {
      connection.fail({ condition: 'policy-violation', text: 'too many elements before a resource is bound' })
      return
    }
    if (connection.stage === 'negotiating') this.#beforeAuth(connection, negotiation, frame)
    else if (connection.stage === 'authenticated') this.#beforeBind(connection, negotiation, frame)
    else connection.fail({ condition: 'not-authorized' })
  }

  #beforeAuth(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    if (frame.ns === NS_SASL2) this.#sasl2.element(connection, negotiation, frame)
    // XEP-0388 §2.4: nothing else while an attempt is under way.
    else if (negotiation.sasl2?.isUnderWay === true) connection.fail({ condition: 'policy-violation', text: 'authenticate first' })
    else if (frame.ns === NS_TLS && frame.name === 'starttls') this.#startTls(connection, negotiation)
    else if (frame.ns === NS_SASL) this.#sasl(connection, negotiation, frame)
    else if (isPreAuthIq(frame) && negotiation.context !== undefined) this.#preAuthIq(connection, frame)
    else if (stanzaKind(frame, NS_CLIENT) !== undefined) connection.fail({ condition: 'not-authorized' })
    else if (frame.ns === NS_SM) connection.sendControl(SM_FAILED)
    else connection.refuseElement(frame, 'unsupported-stanza-type')
  }

  #startTls(connection: Connection, negotiation: Negotiation): void {
    if (!isUpgradable(connection) || !connection.mayUpgrade) {
      // RFC 6120 §5.4.2.2: a failure, then the stream ends.
      connection.sendControl(`<failure xmlns='${NS_TLS}'/>`)
      connection.close()
      return
    }
    negotiation.hasUpgraded = true
    negotiation.closeLogin()
    connection.upgrade()
  }

  // ------------------------------------------------------------------------------------ SASL

  #sasl(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    const { guard, metrics, nowMs, config } = this.#hub
    if (negotiation.context === undefined) {
      this.#refuseAuth(connection, negotiation, 'encryption-required')
      return
    }
    const sasl = negotiation.sasl ??= saslSession(negotiation.context, config.limits.saslAttemptsMax)
    switch (frame.name) {
      case 'auth': {
        if (guard.authWaitMs(connection.address, nowMs) > 0) {
          metrics.auth('address-locked')
          this.#refuseAuth(connection, negotiation, 'temporary-auth-failure')
          return
        }
        const mechanism = frame.attribute('mechanism') ?? ''
        holdUntil(this.#hub, connection, sasl.auth(mechanism, frame.text()), (reply) => this.#answer(connection, negotiation, reply))
        return
      }
      case 'response':
        holdUntil(this.#hub, connection, sasl.response(frame.text()), (reply) => this.#answer(connection, negotiation, reply))
        return
      case 'abort':
        this.#answer(connection, negotiation, sasl.abort())
        return
      default:
        connection.fail({ condition: 'unsupported-stanza-type' })
    }
  }

  #refuseAuth(connection: Connection, negotiation: Negotiation, condition: 'temporary-auth-failure' | 'encryption-required'): void {
    // Counts as an element only, of which there are few before a resource is bound.
    if (negotiation.elements < this.#hub.config.limits.preAuthElementsMax) {
      connection.sendControl(`<failure xmlns='${NS_SASL}'><${condition}/></failure>`)
    } else {
      connection.fail({ condition: 'policy-violation' })
    }
  }

  #answer(connection: Connection, negotiation: Negotiation, reply: SaslReply | undefined): void {
    if (reply === undefined) return
    if (reply.kind === 'challenge') {
      connection.sendControl(payloadElement('challenge', reply.payload))
      return
    }
    if (reply.kind === 'failure') {
      noteFailure(this.#hub, connection, reply)
      const text = reply.text === undefined ? '' : `<text xml:lang='en'>${escapeText(reply.text)}</text>`
      connection.sendControl(`<failure xmlns='${NS_SASL}'><${reply.condition}/>${text}</failure>`)
      // RFC 6120 §6.4.5
      if (negotiation.sasl?.isExhausted === true) connection.fail({ condition: 'policy-violation', text: 'too many attempts' })
      return
    }
    this.#hub.metrics.auth('success')
    negotiation.account = reply.account
    negotiation.isAnonymous = reply.isAnonymous
    negotiation.closeLogin()
    connection.sendControl(payloadElement('success', reply.payload))
    connection.restart()
    handOn(this.#hub, connection)
  }

  // ------------------------------------------------------------------------------------ iq before a session

  #preAuthIq(connection: Connection, frame: Frame): void {
    const stanza = this.#readIq(connection, frame)
    const { host, address } = connection
    if (stanza === undefined || host === undefined) return
    const request = this.#hub.request(host, { kind: 'pre-auth-iq', host: host.domainpart, address, stanza })
    holdUntil(this.#hub, connection, request, (wire) => connection.sendStanza(wire as string))
  }

  #beforeBind(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    if (frame.ns === NS_SM) {
      this.#manageBeforeBind(connection, negotiation, frame)
      return
    }
    const child = frame.findChild('bind', NS_BIND)
    if (stanzaKind(frame, NS_CLIENT) !== 'iq' || child < 0) {
      // RFC 6120 §7.3.1: nothing else before a resource is bound.
      connection.fail({ condition: 'not-authorized', text: 'bind a resource first' })
      return
    }
    const stanza = this.#readIq(connection, frame)
    if (stanza === undefined || negotiation.account === undefined) return
    if (stanza.type !== 'set') {
      this.#refuse(connection, stanza, new StanzaError('bad-request'))
      return
    }
    const resource = frame.childElement(child).childText('resource') ?? ''
    const { account, isAnonymous } = negotiation
    const { transport, address, isSecure } = connection
    const request = this.#hub.request(account, {
      kind: 'bind', account, resourcepart: resource, conn: connection.id, isAnonymous, origin: { transport, address, isSecure },
    })
    const undo = this.#undoing(connection, account)
    const bound = sessionOrUndo<BindReply>(connection, request, (reply) => reply.isBound, undo)
    holdUntil(this.#hub, connection, bound, (reply) => this.#bound(connection, stanza, reply))
  }

  /** Whether or not the core's answer arrives, and whether or not the client still is there: no session may stay behind. */
  #undoing(connection: Connection, account: Jid): () => void {
    return () => this.#hub.undoSession(connection, account, 'lost')
  }

  #bound(connection: Connection, request: Stanza, reply: BindReply): void {
    if (!reply.isBound) {
      this.#refuse(connection, request, new StanzaError(reply.condition, reply.text))
      return
    }
    const id = escapeAttribute(request.id)
    startStanzas(this.#hub, connection, reply.jid, `<iq type='result' id='${id}'><bind xmlns='${NS_BIND}'><jid>${reply.jid.wire}</jid></bind></iq>`)
  }

  // ------------------------------------------------------------------------------------ stream management (XEP-0198)

  /** Only the core knows what has been handled, so it answers; in order with the stanzas. */
  #nonza(connection: Connection, frame: Frame): void {
    if (frame.name === 'enable') connection.isManaged = true
    if (connection.remote !== undefined) noteCounters(connection.remote, frame, this.#hub.nowMs)
    this.#hub.sendFromClient(connection, { kind: 'client-nonza', conn: connection.id, element: frame.toElement() })
  }

  /** §3, §5: before a resource is bound an earlier stream can be resumed, and nothing else. */
  #manageBeforeBind(connection: Connection, { account }: Negotiation, frame: Frame): void {
    const wish = frame.name === 'resume' && connection.transport !== 'bosh' ? readResume(frame) : undefined
    if (wish === undefined || account === undefined) {
      connection.sendControl(SM_FAILED)
      return
    }
    const { transport, address, isSecure } = connection
    const request = this.#hub.request(account, {
      kind: 'resume', account, previousId: wish.previousId, handled: wish.handled, conn: connection.id,
      origin: { transport, address, isSecure },
    })
    const undo = this.#undoing(connection, account)
    const resumed = sessionOrUndo<ResumeReply>(connection, request, (reply) => reply.isResumed, undo)
    holdUntil(this.#hub, connection, resumed, (reply) => this.#resumed(connection, reply))
  }

  #resumed(connection: Connection, reply: ResumeReply): void {
    if (reply.isResumed) {
      connection.isManaged = true
      connection.isResumed = true
      startStanzas(this.#hub, connection, reply.jid, reply.wire)
    } else if ('wire' in reply) connection.sendControl(reply.wire)
    else connection.fail(faultOf(reply.fault) ?? { condition: 'undefined-condition' })
  }

  /** An iq as a stanza without sender, or undefined after it was answered with an error. */
  #readIq(connection: Connection, frame: Frame): Stanza | undefined {
    const to = this.#readTo(connection, frame, 'iq', undefined)
    if (to === null) return undefined
    const stanza = readStanza(frame, 'iq', undefined, to, connection.lang)
    return this.#isGoodIq(connection, stanza) ? stanza : undefined
  }

  // ------------------------------------------------------------------------------------ stanzas

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
    if (connection.remote !== undefined) connection.remote.received++
    this.#hub.sendFromClient(connection, { kind: 'client-stanza', conn: connection.id, stanza })
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
      this.#refuse(connection, readStanza(frame, kind, from, undefined, ''), new StanzaError('jid-malformed', error.message))
      return null
    }
  }

  /** RFC 6120 §8.2.3: an iq has an id and one of four types. */
  #isGoodIq(connection: Connection, stanza: Stanza): boolean {
    const { type, id } = stanza
    if (id !== '' && (type === 'get' || type === 'set' || type === 'result' || type === 'error')) return true
    this.#refuse(connection, stanza, new StanzaError('bad-request', id === '' ? 'an iq needs an id' : 'unknown type of iq'))
    return false
  }

  /** What the edge itself offers as a feature and therefore answers: the session of old, and no second resource. */
  #isOwnIq(connection: Connection, stanza: Stanza): boolean {
    if (stanza.type !== 'set') return false
    const ns = stanza.children[0]?.ns
    if (ns !== NS_SESSION && ns !== NS_BIND) return false
    if (stanza.to !== undefined && !stanza.to.isDomain && stanza.to !== connection.jid?.bare) return false
    if (ns === NS_BIND) this.#refuse(connection, stanza, new StanzaError('not-allowed', 'one resource per stream'))
    else this.#answerStanza(connection, `<iq type='result' id='${escapeAttribute(stanza.id)}'/>`)
    return true
  }

  #refuse(connection: Connection, stanza: Stanza, error: StanzaError): void {
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

  // ------------------------------------------------------------------------------------ the rest

  gone(connection: Connection, reason: 'closed' | 'lost'): void {
    this.#hub.sendFromClient(connection, { kind: 'client-closed', conn: connection.id, reason })
  }

  /** XEP-0199 §4.3 from the host: every client must answer, be it with an error. XEP-0198 §4 says it in less. */
  probe(connection: Connection): void {
    const { jid, host, hub } = connection
    if (jid === undefined || host === undefined) return
    if (connection.isManaged) {
      connection.sendStanza(`<r xmlns='${NS_SM}'/>`)
      return
    }
    const id = `edge-${hub.ports.random.id()}`
    connection.sendStanza(`<iq from='${host.wire}' to='${jid.wire}' type='get' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  }
}

/** Follows the counters of stream management, which the core owns. */
function noteCounters(remote: RemoteSession, frame: Frame, nowMs: number): void {
  if (frame.ns !== NS_SM) return
  if (frame.name === 'a') remote.acknowledged(Number(frame.attribute('h') ?? '0'), nowMs)
  else if (frame.name === 'enable' && !remote.isManaged) remote.received = 0
}

function features(content: string): string {
  return `<stream:features>${content}</stream:features>`
}

function payloadElement(name: string, payload: string): string {
  return payload === '' ? `<${name} xmlns='${NS_SASL}'/>` : `<${name} xmlns='${NS_SASL}'>${payload}</${name}>`
}

/** A request to resume, or undefined when it is none. */
function readResume(frame: Frame): SmResume | undefined {
  try {
    return SmResume.decode(frame.toElement())
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

function isPreAuthIq(frame: Frame): boolean {
  return stanzaKind(frame, NS_CLIENT) === 'iq' && frame.childCount > 0 && frame.childNs(0) === NS_REGISTER
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

function isUpgradable(connection: Connection): connection is Connection & Upgradable {
  return 'upgrade' in connection
}

function tlsVersionOf(secured: Secured | undefined): { readonly tlsVersion?: string } {
  const version = secured?.tlsVersion()
  return version === undefined ? {} : { tlsVersion: version }
}

function isSecured(connection: Connection): connection is Connection & Secured {
  return 'channelBindings' in connection
}
