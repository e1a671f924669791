/**
 * One device of an account, as a careful client behaves: it logs in, resumes when it can, counts what it handles, and
 * keeps what it sent until that is acknowledged (XEP-0198). Whatever happens to it is told to the ledger at once.
 *
 * A message that was not acknowledged when its session could not be resumed is in doubt: it is never sent again, so that a
 * message seen under two stanza ids is always a mistake of the server. After a resumption it is sent again, since then the
 * server has said what it handled.
 *
 * A classic one logs in as RFC 6120 says, step by step; a modern one in one step, resuming or binding inside of it (SASL2,
 * Bind 2), with copies of what the account's other devices send and receive (XEP-0280).
 */
import type { Frame, XmlElement } from '@rollcall/xml'
import { plainMessage } from '../../load/wire/scram.ts'
import { carbonOf } from './carbons.ts'
import { NS } from './names.ts'
import { openWire } from './wire.ts'
import type { Transport, Wire } from './wire.ts'

const RECONNECT_MS = 150
/** An attempt that has not come through by then is given up. */
const ATTEMPT_TIMEOUT_MS = 10_000
/** Seconds for which the server keeps a session without its connection. */
export const RESUME_SECONDS = 3

/** The moments of a login and of a stream in which a connection may be cut. */
export const MOMENTS = ['connected', 'authenticating', 'authenticated', 'binding', 'bound', 'enabling', 'resuming', 'resumed', 'sent', 'asked', 'read'] as const
export type Moment = (typeof MOMENTS)[number]

export interface OutgoingMessage {
  readonly id: string
  /** Bare or full JID. */
  readonly to: string
  readonly text: string
}

export interface ReceivedMessage {
  readonly id: string
  /** Full JID of the sender. */
  readonly from: string
  /** Of the recipient's account (XEP-0359). */
  readonly stanzaId: string | undefined
  readonly isDelayed: boolean
  /** It came before the device was available: older ones may wait until it is. */
  readonly isEarly: boolean
}

/** What a device tells. */
export interface DeviceEvents {
  sent(device: Device, message: OutgoingMessage): void
  acknowledged(device: Device, id: string): void
  received(device: Device, message: ReceivedMessage): void
  /** A copy came of what another device of the account sent. */
  copied(device: Device, id: string): void
  /** An error came back for a message. */
  refused(device: Device, id: string): void
  online(device: Device, how: 'bound' | 'resumed'): void
  /** Something that no correct server does. */
  fault(device: Device, text: string): void
}

export interface DeviceAddress {
  readonly host: string
  readonly transport: Transport
  readonly port: number
  readonly login: 'classic' | 'modern'
  readonly localpart: string
  readonly password: string
  /** What a classic one binds. A modern one gets its resource from the server: the same as long as it says the same. */
  readonly resource: string
  /** A UUID. */
  readonly clientId: string
}

/** Of an archive. */
export interface Page {
  readonly results: readonly XmlElement[]
  readonly fin: XmlElement
}

/** Connections that the network swallowed are kept open, but not for ever. */
const SWALLOWED_MAX = 8

interface Pending {
  readonly message: OutgoingMessage
  /** Stanzas of the session up to and with it. */
  readonly count: number
}

export class Device {
  readonly account: string
  /** Full JID; of a modern one, once it has been online. */
  jid: string
  /** Full JID → status of those that are available, as this session knows it. */
  presences = new Map<string, string>()
  isWanted = false
  isOnline = false
  /** What its presence says. */
  status = ''
  cuts = 0
  #isRetired = false
  #isAnswering = true
  #owesAnswer = false
  readonly #address: DeviceAddress
  readonly #events: DeviceEvents
  #wire: Wire | undefined
  #swallowed: Wire[] = []
  #timer: NodeJS.Timeout | undefined
  #isAuthenticated = false
  #token = ''
  /** Stanzas handled and sent since the session began. */
  #handled = 0
  #sent = 0
  #pending: Pending[] = []
  /** Ids of the messages of this session and how they came, to find one that comes twice in it. */
  #inSession = new Map<string, string>()
  #resumptions = 0
  #cutAt: Moment | undefined
  #isCounting = false
  #queries = new Map<string, (answer: XmlElement | undefined) => void>()
  #results: XmlElement[] = []
  #queryCount = 0

  constructor(address: DeviceAddress, events: DeviceEvents) {
    this.#address = address
    this.#events = events
    this.account = `${address.localpart}@${address.host}`
    this.jid = address.login === 'modern' ? '' : `${this.account}/${address.resource}`
  }

  /** Whether everything it sent is acknowledged. */
  get isSettled(): boolean {
    return this.#pending.length === 0
  }

  // ------------------------------------------------------------------------------------ what the campaign does

  /** Comes, and stays: it connects again whenever the connection is lost. */
  come(): void {
    if (this.#isRetired) return
    this.isWanted = true
    this.#connect()
  }

  /** Says goodbye and stays away. */
  leave(): void {
    this.isWanted = false
    const wire = this.#wire
    if (this.isOnline) {
      wire?.write(`<presence type='unavailable'/>`)
      wire?.end()
    }
    this.#forgetSession()
    // What the goodbye has not reached is cut a little later.
    this.#drop()
    setTimeout(() => wire?.destroy(), 500).unref()
  }

  /** Cuts the connection; the device comes back by itself unless it is not wanted any more. */
  cut(): void {
    this.cuts++
    this.#cutAt = undefined
    this.#wire?.destroy()
    this.#lost()
  }

  /** The network swallows the connection: neither side learns of it, and the device comes back by itself on another. */
  vanish(): void {
    const wire = this.#wire
    if (wire === undefined) return
    this.cuts++
    this.#cutAt = undefined
    wire.pause()
    this.#swallowed.push(wire)
    if (this.#swallowed.length > SWALLOWED_MAX) this.#swallowed.shift()?.destroy()
    this.#lost()
  }

  /** Leaves for good, whatever is still planned for it. */
  retire(): void {
    this.#isRetired = true
    this.leave()
    this.clear()
  }

  /** Ends what the network swallowed. */
  clear(): void {
    for (const wire of this.#swallowed.splice(0)) wire.destroy()
  }

  /** Cuts the connection when it comes to that moment; undefined: to none. */
  cutAt(moment: Moment | undefined): void {
    this.#cutAt = moment
  }

  /** Cuts the connection and loses the memory of the session, as an application that is killed. */
  forget(): void {
    this.#forgetSession()
    this.cut()
  }

  setReading(isReading: boolean): void {
    if (isReading) this.#wire?.resume()
    else this.#wire?.pause()
  }

  /** Whether it answers requests for acknowledgement; what it owes it answers when it does again. */
  setAnswering(isAnswering: boolean): void {
    this.#isAnswering = isAnswering
    if (isAnswering && this.#owesAnswer && this.isOnline) this.#answer()
  }

  send(message: OutgoingMessage): void {
    if (!this.isOnline) return
    this.#events.sent(this, message)
    this.#pending.push({ message, count: this.#sent + 1 })
    this.#stanza(messageWire(message))
    this.#write(`<r xmlns='${NS.sm}'/>`)
    this.#at('sent')
  }

  announce(status: string): void {
    this.status = status
    if (this.isOnline) this.#stanza(`<presence><status>${status}</status></presence>`)
  }

  /** A page of the account's archive after that id: the results and `<fin/>`; undefined when the connection was lost. */
  page(after: string | undefined, max: number): Promise<Page | undefined> {
    if (!this.isOnline) return Promise.resolve(undefined)
    const id = `page${++this.#queryCount}`
    const start = after === undefined ? '' : `<after>${after}</after>`
    this.#results = []
    this.#stanza(`<iq type='set' id='${id}'><query xmlns='${NS.mam}'><set xmlns='${NS.rsm}'><max>${max}</max>${start}</set></query></iq>`)
    return new Promise((resolve) => {
      this.#queries.set(id, (fin) => resolve(fin === undefined ? undefined : { results: this.#results, fin }))
    })
  }

  // ------------------------------------------------------------------------------------ connection

  #connect(): void {
    clearTimeout(this.#timer)
    if (!this.isWanted || this.#wire !== undefined) return
    this.#isAuthenticated = false
    const isCurrent = () => this.#wire === wire
    const wire = openWire(this.#address.transport, this.#address.port, {
      connected: () => { if (isCurrent()) this.#openStream() },
      // The rest of a chunk in which the connection was cut goes nowhere.
      element: (frame) => { if (isCurrent()) this.#element(frame) },
      ended: () => { if (isCurrent()) wire.end() },
      broken: (error) => this.#events.fault(this, `was sent bad XML: ${String(error)}`),
      closed: () => { if (isCurrent()) this.#lost() },
    })
    this.#wire = wire
    this.#timer = setTimeout(() => { if (isCurrent() && !this.isOnline) wire.destroy() }, ATTEMPT_TIMEOUT_MS)
  }

  #drop(): void {
    clearTimeout(this.#timer)
    this.#wire = undefined
    this.isOnline = false
    this.#isCounting = false
    this.#owesAnswer = false
    for (const answer of this.#queries.values()) answer(undefined)
    this.#queries.clear()
  }

  #lost(): void {
    this.#drop()
    if (this.isWanted) this.#timer = setTimeout(() => this.#connect(), RECONNECT_MS)
  }

  #write(wire: string): void {
    this.#wire?.write(wire)
  }

  #stanza(wire: string): void {
    this.#sent++
    this.#write(wire)
  }

  /** A moment came; true when the connection is cut now. */
  #at(moment: Moment): boolean {
    if (this.#cutAt !== moment) return false
    // What was written stays on its way: the cut is behind it.
    const wire = this.#wire
    this.cuts++
    this.#cutAt = undefined
    wire?.destroySoon()
    this.#lost()
    return true
  }

  #openStream(): void {
    this.#wire?.openStream(this.#address.host)
    this.#at('connected')
  }

  #answer(): void {
    this.#owesAnswer = false
    this.#write(`<a xmlns='${NS.sm}' h='${this.#handled}'/>`)
  }

  // ------------------------------------------------------------------------------------ elements

  #element(frame: Frame): void {
    switch (frame.name) {
      case 'message':
      case 'presence':
      case 'iq':
        this.#handle(frame)
        return
      case 'features':
        this.#features()
        return
      case 'success':
        this.#isAuthenticated = true
        if (frame.ns === NS.sasl2) this.#loggedIn(frame.toElement())
        else if (!this.#at('authenticated')) this.#wire?.openStream(this.#address.host)
        return
      case 'r':
        if (this.#at('asked')) return
        if (this.#isAnswering) this.#answer()
        else this.#owesAnswer = true
        return
      case 'a':
        this.#covered(Number(frame.attribute('h')))
        return
      case 'enabled':
        this.#begin(frame.attribute('id') ?? '')
        return
      case 'resumed':
        this.#resumed(Number(frame.attribute('h')))
        return
      case 'failed':
        this.#resumptionFailed(frame)
        return
      case 'failure':
        this.#events.fault(this, `was refused: ${frame.elementWire()}`)
        return
      default:
    }
  }

  #features(): void {
    const isModern = this.#address.login === 'modern'
    // A modern one knows already what it may do.
    if (isModern && this.#isAuthenticated) return
    const secret = Buffer.from(plainMessage(this.#address.localpart, this.#address.password)).toString('base64')
    if (isModern) {
      this.#authenticate(secret)
      return
    }
    if (!this.#isAuthenticated) {
      this.#write(`<auth xmlns='${NS.sasl}' mechanism='PLAIN'>${secret}</auth>`)
      this.#at('authenticating')
      return
    }
    if (this.#token === '') {
      this.#bind()
      return
    }
    this.#write(`<resume xmlns='${NS.sm}' previd='${this.#token}' h='${this.#handled}'/>`)
    this.#at('resuming')
  }

  /** Everything at once (XEP-0388, XEP-0386): the old session if it is still there, else a new one. */
  #authenticate(secret: string): void {
    const resume = this.#token === '' ? '' : `<resume xmlns='${NS.sm}' previd='${this.#token}' h='${this.#handled}'/>`
    const wishes = `<enable xmlns='${NS.sm}' resume='true' max='${RESUME_SECONDS}'/><enable xmlns='${NS.carbons}'/>`
    this.#write(`<authenticate xmlns='${NS.sasl2}' mechanism='PLAIN'><initial-response>${secret}</initial-response>`
      + `<user-agent id='${this.#address.clientId}'/>${resume}<bind xmlns='${NS.bind2}'><tag>crash</tag>${wishes}</bind></authenticate>`)
    if (!this.#at('authenticating')) this.#at(resume === '' ? 'binding' : 'resuming')
  }

  #loggedIn(success: XmlElement): void {
    const resumed = success.child('resumed', NS.sm)
    const failed = success.child('failed', NS.sm)
    const enabled = success.child('bound', NS.bind2)?.child('enabled', NS.sm)
    // It never knew.
    if (this.#at('authenticated') || (enabled !== undefined && (this.#at('bound') || this.#at('enabling')))) return
    if (resumed !== undefined) {
      this.#resumed(Number(resumed.attribute('h')))
      return
    }
    const h = failed?.attribute('h')
    if (h !== undefined) this.#covered(Number(h))
    this.#forgetSession()
    const jid = success.child('authorization-identifier', NS.sasl2)?.text() ?? ''
    if (enabled === undefined) this.#events.fault(this, 'logged in without stream management')
    if (this.jid !== '' && this.jid !== jid) this.#events.fault(this, `is ${jid} all of a sudden`)
    this.jid = jid
    this.#begin(enabled?.attribute('id') ?? '')
  }

  #bind(): void {
    this.#forgetSession()
    this.#write(`<iq type='set' id='bind'><bind xmlns='${NS.bind}'><resource>${this.#address.resource}</resource></bind></iq>`)
    this.#at('binding')
  }

  /** A new session begins. */
  #begin(token: string): void {
    this.#token = token
    this.#handled = 0
    this.#isCounting = true
    this.#goOnline('bound')
    this.announce(this.status)
  }

  #resumed(h: number): void {
    this.#resumptions++
    this.#covered(h)
    this.#isCounting = true
    const again = this.#pending
    this.#pending = []
    this.#sent = h
    for (const { message } of again) {
      this.#pending.push({ message, count: this.#sent + 1 })
      this.#stanza(messageWire(message))
    }
    this.#write(`<r xmlns='${NS.sm}'/>`)
    if (this.#at('resumed')) return
    this.#goOnline('resumed')
    this.announce(this.status)
  }

  #resumptionFailed(frame: Frame): void {
    const h = frame.attribute('h')
    if (h !== undefined) this.#covered(Number(h))
    this.#bind()
  }

  #goOnline(how: 'bound' | 'resumed'): void {
    clearTimeout(this.#timer)
    this.isOnline = true
    this.#events.online(this, how)
  }

  #forgetSession(): void {
    this.#token = ''
    this.#handled = 0
    this.#sent = 0
    this.#pending = []
    this.#inSession = new Map()
    this.#resumptions = 0
    this.presences = new Map()
  }

  #covered(h: number): void {
    if (h > this.#sent) this.#events.fault(this, `had ${h} stanzas acknowledged of ${this.#sent}`)
    while (this.#pending[0] !== undefined && this.#pending[0].count <= h) {
      const [{ message }] = this.#pending.splice(0, 1) as [Pending]
      this.#events.acknowledged(this, message.id)
    }
  }

  #handle(frame: Frame): void {
    if (this.#isCounting) this.#handled++
    if (frame.name === 'message') this.#message(frame)
    else if (frame.name === 'presence') this.#presence(frame)
    else this.#iq(frame)
  }

  #message(frame: Frame): void {
    if (frame.findChild('result', NS.mam) >= 0) {
      this.#results.push(frame.toElement())
      return
    }
    if (frame.attribute('type') === 'error') {
      this.#events.refused(this, frame.attribute('id') ?? '')
      return
    }
    const element = frame.toElement()
    const carbon = carbonOf(element)
    const message = carbon?.message ?? element
    const id = message.attribute('id') ?? ''
    if (carbon !== undefined && element.attribute('from') !== this.account) this.#events.fault(this, `got a forged copy of ${id}`)
    if (carbon?.direction === 'sent') {
      this.#events.copied(this, id)
      return
    }
    const isDelayed = message.child('delay', NS.delay) !== undefined
    const isEarly = !this.presences.has(this.jid)
    const how = `${isEarly ? 'early, ' : ''}${isDelayed ? 'delayed, ' : ''}${carbon === undefined ? '' : 'a copy, '}`
      + `number ${this.#handled} after ${this.#resumptions} resumptions`
    const before = this.#inSession.get(id)
    if (before !== undefined) this.#events.fault(this, `got ${id} twice in one session (${before}; ${how})`)
    this.#inSession.set(id, how)
    this.#events.received(this, { id, from: message.attribute('from') ?? '', stanzaId: stanzaIdOf(message, this.account), isDelayed, isEarly })
    this.#at('read')
  }

  #presence(frame: Frame): void {
    const from = frame.attribute('from') ?? ''
    const type = frame.attribute('type')
    if (type === 'unavailable') this.presences.delete(from)
    else if (type === undefined) this.presences.set(from, frame.toElement().child('status', NS.client)?.text() ?? '')
  }

  #iq(frame: Frame): void {
    const id = frame.attribute('id') ?? ''
    const type = frame.attribute('type')
    if (id === 'bind' && type === 'result' && !this.#isCounting) {
      if (this.#at('bound')) return
      // The server counts from here (§3).
      this.#write(`<enable xmlns='${NS.sm}' resume='true' max='${RESUME_SECONDS}'/>`)
      this.#at('enabling')
      return
    }
    if (type === 'get') this.#stanza(`<iq type='result' to='${frame.attributeWire('from') ?? ''}' id='${frame.attributeWire('id') ?? ''}'/>`)
    const answer = this.#queries.get(id)
    this.#queries.delete(id)
    answer?.(frame.toElement())
  }
}

function messageWire({ id, to, text }: OutgoingMessage): string {
  return `<message to='${to}' type='chat' id='${id}'><body>${text}</body></message>`
}

function stanzaIdOf(message: XmlElement, account: string): string | undefined {
  return message.elements().find(({ name, ns, attributes }) =>
    name === 'stanza-id' && ns === NS.stanzaIds && attributes.get('by') === account)?.attribute('id')
}
