/**
 * One device of an account, as a careful client behaves: it logs in, resumes when it can, counts what it handles, and
 * keeps what it sent until that is acknowledged (XEP-0198). Whatever happens to it is told to the ledger at once.
 *
 * A message that was not acknowledged when its session could not be resumed is in doubt: it is never sent again, so that a
 * message seen under two stanza ids is always a mistake of the server. After a resumption it is sent again, since then the
 * server has said what it handled.
 *
 * It connects from an address of its own: from the server's one a client might be given the very port that the server is
 * about to listen on again, or connect to itself.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { defaultLimits, StreamFramer } from '@rollcall/xml'
import type { Frame, FrameSink, XmlElement } from '@rollcall/xml'
import { plainMessage } from '../../load/wire/scram.ts'
import { NS, streamHeader } from './names.ts'

const SOURCE_ADDRESS = '127.0.0.2'
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
}

/** What a device tells. */
export interface DeviceEvents {
  sent(device: Device, message: OutgoingMessage): void
  acknowledged(device: Device, id: string): void
  received(device: Device, message: ReceivedMessage): void
  /** An error came back for a message. */
  refused(device: Device, id: string): void
  online(device: Device, how: 'bound' | 'resumed'): void
  /** Something that no correct server does. */
  fault(device: Device, text: string): void
}

export interface DeviceAddress {
  readonly host: string
  readonly port: number
  readonly localpart: string
  readonly password: string
  readonly resource: string
}

interface Pending {
  readonly message: OutgoingMessage
  /** Stanzas of the session up to and with it. */
  readonly count: number
}

export class Device implements FrameSink {
  readonly account: string
  readonly jid: string
  /** Full JID → status of those that are available, as this session knows it. */
  presences = new Map<string, string>()
  isWanted = false
  isOnline = false
  /** What its presence says. */
  status = ''
  cuts = 0
  #isAnswering = true
  #owesAnswer = false
  readonly #address: DeviceAddress
  readonly #events: DeviceEvents
  #socket: Socket | undefined
  #framer: StreamFramer | undefined
  #timer: NodeJS.Timeout | undefined
  #isAuthenticated = false
  #token = ''
  /** Stanzas handled and sent since the session began. */
  #handled = 0
  #sent = 0
  #pending: Pending[] = []
  /** Stream ids of the messages of this session, to find one that comes twice in it. */
  #inSession = new Set<string>()
  #cutAt: Moment | undefined
  #isCounting = false
  #queries = new Map<string, (answer: XmlElement | undefined) => void>()
  #results: XmlElement[] = []
  #queryCount = 0

  constructor(address: DeviceAddress, events: DeviceEvents) {
    this.#address = address
    this.#events = events
    this.account = `${address.localpart}@${address.host}`
    this.jid = `${this.account}/${address.resource}`
  }

  /** Whether everything it sent is acknowledged. */
  get isSettled(): boolean {
    return this.#pending.length === 0
  }

  // ------------------------------------------------------------------------------------ what the campaign does

  /** Comes, and stays: it connects again whenever the connection is lost. */
  come(): void {
    this.isWanted = true
    this.#connect()
  }

  /** Says goodbye and stays away. */
  leave(): void {
    this.isWanted = false
    if (this.isOnline) this.#socket?.end(`<presence type='unavailable'/></stream:stream>`)
    this.#forgetSession()
    // What the goodbye has not reached is cut a little later.
    const socket = this.#socket
    this.#drop()
    setTimeout(() => socket?.destroy(), 500).unref()
  }

  /** Cuts the connection; the device comes back by itself unless it is not wanted any more. */
  cut(): void {
    this.cuts++
    this.#cutAt = undefined
    this.#socket?.destroy()
    this.#lost()
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
    if (isReading) this.#socket?.resume()
    else this.#socket?.pause()
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
  page(after: string | undefined, max: number): Promise<{ readonly results: readonly XmlElement[]; readonly fin: XmlElement } | undefined> {
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
    if (!this.isWanted || this.#socket !== undefined) return
    this.#isAuthenticated = false
    const framer = new StreamFramer({ ...defaultLimits, elementBytesMax: 1_048_576 })
    const socket = connect({ host: '127.0.0.1', port: this.#address.port, localAddress: SOURCE_ADDRESS, noDelay: true })
    this.#framer = framer
    this.#socket = socket
    socket.on('connect', () => this.#openStream())
    socket.on('data', (bytes) => {
      if (this.#socket !== socket) return
      try {
        framer.push(bytes, this)
      } catch (error) {
        this.#events.fault(this, `sent bad XML: ${String(error)}`)
        socket.destroy()
      }
    })
    socket.on('error', () => { /* The close that follows is what counts. */ })
    socket.on('close', () => { if (this.#socket === socket) this.#lost() })
    this.#timer = setTimeout(() => { if (this.#socket === socket && !this.isOnline) socket.destroy() }, ATTEMPT_TIMEOUT_MS)
  }

  #drop(): void {
    clearTimeout(this.#timer)
    this.#socket = undefined
    this.#framer = undefined
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
    this.#socket?.write(wire)
  }

  #stanza(wire: string): void {
    this.#sent++
    this.#write(wire)
  }

  /** A moment came; true when the connection is cut now. */
  #at(moment: Moment): boolean {
    if (this.#cutAt !== moment) return false
    // What was written stays on its way: the cut is behind it.
    const socket = this.#socket
    this.cuts++
    this.#cutAt = undefined
    socket?.destroySoon()
    this.#lost()
    return true
  }

  #openStream(): void {
    this.#write(streamHeader(this.#address.host))
    this.#at('connected')
  }

  #answer(): void {
    this.#owesAnswer = false
    this.#write(`<a xmlns='${NS.sm}' h='${this.#handled}'/>`)
  }

  // ------------------------------------------------------------------------------------ elements

  streamOpen(): void {
    // Features follow.
  }

  streamClose(): void {
    this.#socket?.end()
  }

  element(frame: Frame): void {
    // The rest of a chunk in which the connection was cut.
    if (this.#socket === undefined) return
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
        this.#framer?.reset()
        if (!this.#at('authenticated')) this.#write(streamHeader(this.#address.host))
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
        this.#enabled(frame)
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
    if (!this.#isAuthenticated) {
      const secret = Buffer.from(plainMessage(this.#address.localpart, this.#address.password)).toString('base64')
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

  #bind(): void {
    this.#forgetSession()
    this.#write(`<iq type='set' id='bind'><bind xmlns='${NS.bind}'><resource>${this.#address.resource}</resource></bind></iq>`)
    this.#at('binding')
  }

  #enabled(frame: Frame): void {
    this.#token = frame.attribute('id') ?? ''
    this.#handled = 0
    this.#isCounting = true
    this.#goOnline('bound')
    this.announce(this.status)
  }

  #resumed(h: number): void {
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
    this.#inSession = new Set()
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
    const id = frame.attribute('id') ?? ''
    if (frame.attribute('type') === 'error') {
      this.#events.refused(this, id)
      return
    }
    if (this.#inSession.has(id)) this.#events.fault(this, `got ${id} twice in one session`)
    this.#inSession.add(id)
    this.#events.received(this, {
      id, from: frame.attribute('from') ?? '', stanzaId: stanzaIdOf(frame, this.account), isDelayed: frame.findChild('delay', NS.delay) >= 0,
    })
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

function stanzaIdOf(frame: Frame, account: string): string | undefined {
  const found = frame.toElement().children.find((child) =>
    typeof child !== 'string' && child.name === 'stanza-id' && child.ns === NS.stanzaIds && child.attribute('by') === account)
  return typeof found === 'object' ? found.attribute('id') : undefined
}
