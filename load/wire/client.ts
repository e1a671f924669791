/**
 * A simulated client: connects, authenticates, binds, gets its roster, sends presence and waits for its own to come back;
 * then hands every message and presence to the run. It keeps nothing but what a stream needs, so that ten thousand of
 * them fit into one process.
 */
import { randomBytes } from 'node:crypto'
import { defaultLimits, StreamFramer, toWire } from '@rollcall/xml'
import type { Frame, FrameSink } from '@rollcall/xml'
import type { Outbox } from './outbox.ts'
import { mechanisms, plainMessage, ScramExchange } from './scram.ts'
import type { KeyCache, Mechanism } from './scram.ts'
import { ClientSocket } from './socket.ts'
import type { Endpoint } from './socket.ts'

const NS = {
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',
  session: 'urn:ietf:params:xml:ns:xmpp-session',
  roster: 'jabber:iq:roster',
  ping: 'urn:xmpp:ping',
  client: 'jabber:client',
} as const

const NONCE_BYTES = 18
/** The server may send rosters and lists of any size that a test makes. */
const limits = { ...defaultLimits, elementBytesMax: 16 * 1024 * 1024, childrenMax: 262_144 }

/** In the order in which a login passes through them. */
export const PHASE = {
  off: 0, connecting: 1, securing: 2, features: 3, authenticating: 4, binding: 5, session: 6, roster: 7, announcing: 8, online: 9, closing: 10,
} as const
export type Phase = (typeof PHASE)[keyof typeof PHASE]

/** What a client needs from the run. */
export interface ClientHost {
  readonly endpoint: Endpoint
  readonly outbox: Outbox
  readonly keys: KeyCache
  /** Undefined: the strongest that the server offers. */
  readonly mechanism: Mechanism | undefined
  /** Called before anything that arrived is handled: the moment of arrival. */
  arrived(): void
  /** The server has given the client a full JID, as a wire string. */
  bound(client: Client, jid: string): void
  rosterReceived(client: Client, frame: Frame): void
  /** The wire string of the client's initial presence. */
  initialPresence(client: Client): string
  message(client: Client, frame: Frame): void
  presence(client: Client, frame: Frame): void
  /** Once per login that began; `reason` undefined: as the client wanted. */
  ended(client: Client, reason: string | undefined): void
}

/** What a client opens a stream to `domain` with (RFC 6120 §4.7). */
export function streamHeader(domain: string): string {
  return `<?xml version='1.0'?><stream:stream to='${domain}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`
}

export class Client implements FrameSink {
  /** Number among the run's clients. */
  readonly index: number
  phase: Phase = PHASE.off
  private readonly host: ClientHost
  private readonly name: string
  private readonly password: string
  private readonly resource: string
  private socket: ClientSocket | undefined
  private framer: StreamFramer | undefined
  private exchange: ScramExchange | undefined
  private out = ''
  private isSecured = false
  private isAuthenticated = false
  private needsSession = false
  private reason: string | undefined

  constructor(index: number, host: ClientHost, account: { readonly name: string; readonly password: string; readonly resource: string }) {
    this.index = index
    this.host = host
    this.name = account.name
    this.password = account.password
    this.resource = account.resource
  }

  get isOnline(): boolean {
    return this.phase === PHASE.online
  }

  /** Begins to log in; only in phase `off`. */
  login(): void {
    this.phase = PHASE.connecting
    this.isSecured = this.host.endpoint.tls === 'direct'
    this.isAuthenticated = false
    this.reason = undefined
    this.out = ''
    this.framer = new StreamFramer(limits)
    // Events of a socket that has been given up must not touch the next one.
    const socket: ClientSocket = new ClientSocket(this.host.endpoint, {
      opened: () => this.openStream(),
      received: (bytes) => { if (this.socket === socket) this.received(bytes) },
      secured: () => this.openStream(),
      closed: (reason) => { if (this.socket === socket) this.end(this.phase === PHASE.closing ? undefined : (this.reason ?? reason)) },
    })
    this.socket = socket
  }

  /** Queues a wire string for this turn's write. */
  send(wire: string): void {
    if (this.out === '') this.host.outbox.add(this)
    this.out += wire
  }

  flush(): void {
    if (this.out === '' || this.socket === undefined) return
    const { out } = this
    this.out = ''
    this.socket.write(out)
  }

  setReading(isReading: boolean): void {
    this.socket?.setReading(isReading)
  }

  /** Ends the stream as RFC 6120 §4.4 says, after `last`; `ended` follows when the server has closed too. */
  logout(last: string): void {
    if (this.phase === PHASE.off) return
    this.phase = PHASE.closing
    this.send(`${last}</stream:stream>`)
  }

  /** Cuts the connection without a word. `ended` has been called when this returns. */
  cut(): void {
    if (this.phase === PHASE.off) return
    this.end(undefined)
  }

  /** Gives up with a reason; `ended` has been called when this returns. */
  fail(reason: string): void {
    if (this.phase !== PHASE.off) this.end(reason)
  }

  /** The login is complete: the client's own presence has come back. */
  setOnline(): void {
    this.phase = PHASE.online
  }

  streamOpen(): void {
    // Features follow.
  }

  streamClose(): void {
    if (this.phase !== PHASE.closing) this.reason ??= 'the server closed the stream'
    this.socket?.end()
  }

  element(frame: Frame): void {
    // The rest of a chunk in which the client gave up.
    if (this.phase === PHASE.off) return undefined
    switch (frame.name) {
      case 'message':
        return this.host.message(this, frame)
      case 'presence':
        return this.host.presence(this, frame)
      case 'iq':
        return this.iq(frame)
      default:
        return this.negotiate(frame)
    }
  }

  private received(bytes: Uint8Array): void {
    this.host.arrived()
    try {
      this.framer?.push(bytes, this)
    } catch (error) {
      this.fail(`bad XML from the server: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  private end(reason: string | undefined): void {
    const { socket } = this
    this.socket = undefined
    this.framer = undefined
    this.exchange = undefined
    this.out = ''
    socket?.destroy()
    if (this.phase === PHASE.off) return
    this.phase = PHASE.off
    this.host.ended(this, reason)
  }

  private openStream(): void {
    if (this.phase === PHASE.off || this.phase === PHASE.closing) return
    this.phase = PHASE.features
    this.send(streamHeader(this.host.endpoint.domain))
  }

  private negotiate(frame: Frame): void {
    switch (frame.name) {
      case 'features':
        return this.features(frame)
      case 'proceed':
        this.isSecured = true
        this.phase = PHASE.securing
        this.framer?.reset()
        return this.socket?.secure()
      case 'challenge':
        return this.challenge(frame)
      case 'success':
        return this.success(frame)
      case 'error':
      case 'failure':
        return this.fail(`${frame.name}: ${frame.childCount > 0 ? frame.childName(0) : ''}`)
      default:
        return undefined
    }
  }

  private features(frame: Frame): void {
    if (this.isAuthenticated) {
      this.needsSession = isSessionNeeded(frame)
      this.phase = PHASE.binding
      return this.send(`<iq type='set' id='bind'><bind xmlns='${NS.bind}'><resource>${this.resource}</resource></bind></iq>`)
    }
    if (!this.isSecured && this.host.endpoint.tls === 'starttls') return this.send(`<starttls xmlns='${NS.tls}'/>`)
    return this.authenticate(offeredMechanisms(frame))
  }

  private authenticate(offered: readonly string[]): void {
    const wanted = this.host.mechanism
    const mechanism = mechanisms.find((name) => offered.includes(name) && (wanted === undefined || wanted === name))
    if (mechanism === undefined) return this.fail(`no mechanism in common; the server offers ${offered.join(', ') || 'none'}`)
    this.phase = PHASE.authenticating
    let first: string
    if (mechanism === 'PLAIN') {
      first = plainMessage(this.name, this.password)
    } else {
      this.exchange = new ScramExchange(mechanism, this.name, this.password, randomBytes(NONCE_BYTES).toString('base64'), this.host.keys)
      first = this.exchange.first
    }
    return this.send(`<auth xmlns='${NS.sasl}' mechanism='${mechanism}'>${base64(first)}</auth>`)
  }

  private challenge(frame: Frame): void {
    const { exchange } = this
    if (exchange === undefined) return this.fail('a challenge that was not asked for')
    void this.respond(exchange, unbase64(frame.text()))
    return undefined
  }

  private async respond(exchange: ScramExchange, challenge: string): Promise<void> {
    try {
      const response = await exchange.respond(challenge)
      if (this.exchange === exchange) this.send(`<response xmlns='${NS.sasl}'>${base64(response)}</response>`)
    } catch (error) {
      if (this.exchange === exchange) this.fail(error instanceof Error ? error.message : String(error))
    }
  }

  private success(frame: Frame): void {
    if (this.exchange !== undefined && !this.exchange.isProved(unbase64(frame.text()))) return this.fail('the server did not prove that it knows the password')
    this.exchange = undefined
    this.isAuthenticated = true
    this.framer?.reset()
    return this.openStream()
  }

  private iq(frame: Frame): void {
    const type = frame.attribute('type')
    if (type === 'get' || type === 'set') return this.answer(frame, type)
    switch (this.phase) {
      case PHASE.binding:
        if (type !== 'result') return this.fail('the server refused to bind a resource')
        this.bound(frame)
        return undefined
      case PHASE.session:
        return this.getRoster()
      case PHASE.roster:
        if (type !== 'result') return this.fail('the server refused the roster')
        this.host.rosterReceived(this, frame)
        this.phase = PHASE.announcing
        return this.send(this.host.initialPresence(this))
      default:
        return undefined
    }
  }

  private bound(frame: Frame): void {
    const at = frame.findChild('bind', NS.bind)
    const jid = at < 0 ? '' : frame.childElement(at).child('jid', NS.bind)?.text() ?? ''
    this.host.bound(this, toWire(jid))
    if (!this.needsSession) return this.getRoster()
    this.phase = PHASE.session
    return this.send(`<iq type='set' id='session'><session xmlns='${NS.session}'/></iq>`)
  }

  private getRoster(): void {
    this.phase = PHASE.roster
    this.send(`<iq type='get' id='roster'><query xmlns='${NS.roster}'/></iq>`)
  }

  /** Servers ping, and push rosters; whatever else they ask a client like this does not know. */
  private answer(frame: Frame, type: string): void {
    const to = frame.attributeWire('from')
    const address = `${to === undefined ? '' : ` to='${to}'`} id='${frame.attributeWire('id') ?? ''}'`
    const isKnown = type === 'set' ? frame.findChild('query', NS.roster) >= 0 : frame.findChild('ping', NS.ping) >= 0
    if (isKnown) return this.send(`<iq type='result'${address}/>`)
    const condition = `<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>`
    return this.send(`<iq type='error'${address}><error type='cancel'>${condition}</error></iq>`)
  }
}

function offeredMechanisms(features: Frame): string[] {
  const at = features.findChild('mechanisms', NS.sasl)
  if (at < 0) return []
  return features.childElement(at).children.flatMap((child) => (typeof child === 'string' ? [] : [child.text()]))
}

/** Old servers want a session established; newer ones say that it is optional (RFC 6121 appendix E). */
function isSessionNeeded(features: Frame): boolean {
  const at = features.findChild('session', NS.session)
  return at >= 0 && features.childElement(at).child('optional', NS.session) === undefined
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

function unbase64(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8')
}
