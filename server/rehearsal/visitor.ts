/**
 * The least client that can log in and chat, for the rehearsal: it sends what clients send, and looks at no more of what comes back
 * than tells it when to go on. Its socket is real, because that is what the server's reads and writes are compiled for.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { SaslCrypto, ScramHash } from '@rollcall/stream'

/** Who a visitor is, and how it logs in. */
export interface Guest {
  readonly localpart: string
  readonly host: string
  readonly hash: ScramHash
  readonly keys: ClientKeys
  /** Asks for stream management (XEP-0198). */
  readonly isManaged: boolean
}

/** A client's half of SCRAM (RFC 5802 §3). */
export interface ClientKeys {
  readonly clientKey: Uint8Array
  readonly storedKey: Uint8Array
}

export const RESOURCE = 'stage'

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const BIND = `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${RESOURCE}</resource></bind></iq>`
const ROSTER = `<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`
/** A visitor that hears nothing for so long gives up. */
const SILENCE_MS_MAX = 5_000

/** Milliseconds of work off the event loop. */
export async function clientKeys(crypto: SaslCrypto, hash: ScramHash, password: string, salt: Uint8Array, iterations: number): Promise<ClientKeys> {
  const salted = await crypto.pbkdf2(hash, password, salt, iterations)
  const clientKey = crypto.hmac(hash, salted, Buffer.from('Client Key'))
  return { clientKey, storedKey: crypto.hash(hash, clientKey) }
}

export class Visitor {
  readonly #crypto: SaslCrypto
  readonly #guest: Guest
  readonly #socket: Socket
  /** What came since somebody began to listen for `#mark`. */
  #text = ''
  #mark = ''
  #found: ((text: string) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  /** Connects to a port of this machine. */
  constructor(port: number, guest: Guest, crypto: SaslCrypto) {
    this.#crypto = crypto
    this.#guest = guest
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }).setEncoding('latin1')
    socket.on('data', (text: unknown) => this.#read(String(text)))
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => this.#failed?.(new Error('the connection of a visitor was closed')))
    socket.setTimeout(SILENCE_MS_MAX, () => socket.destroy())
    this.#socket = socket
  }

  get address(): string {
    return `${this.#guest.localpart}@${this.#guest.host}`
  }

  /** Until the client has its roster and its own presence (RFC 6121 §2.2, §4.2). */
  async login(): Promise<void> {
    const { hash, host, isManaged, localpart } = this.#guest
    const header = `<?xml version='1.0'?><stream:stream to='${host}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
    const first = `n=${localpart},r=${localpart}-is-only-visiting`
    await this.ask(header, '</stream:features>')
    const challenge = await this.ask(`<auth xmlns='${NS_SASL}' mechanism='SCRAM-${hash}'>${encoded(`n,,${first}`)}</auth>`, '</challenge>')
    await this.ask(`<response xmlns='${NS_SASL}'>${encoded(this.#final(first, challenge))}</response>`, '<success')
    await this.ask(header, '</stream:features>')
    await this.ask(BIND, '</iq>')
    if (isManaged) await this.ask(`<enable xmlns='urn:xmpp:sm:3'/>`, '<enabled')
    await this.ask(ROSTER, `id='roster'`)
    await this.show('')
  }

  /** Says what it is doing (RFC 6121 §4.4), and waits until it hears that of itself. */
  async show(content: string): Promise<void> {
    await this.ask(`<presence>${content}</presence>`, `from='${this.address}/`)
  }

  /** Is away for a moment without leaving. */
  async flap(): Promise<void> {
    this.send(`<presence type='unavailable'/>`)
    await this.show('')
  }

  send(wire: string): void {
    this.#socket.write(wire, 'latin1')
  }

  /** Sends, and resolves with all that came until `mark` was in it; rejects when the connection ends. */
  ask(wire: string, mark: string): Promise<string> {
    const heard = this.hear(mark)
    this.send(wire)
    return heard
  }

  /** As `ask` without sending. One wait at a time. */
  hear(mark: string): Promise<string> {
    this.#text = ''
    this.#mark = mark
    return new Promise((resolve, reject) => {
      this.#found = resolve
      this.#failed = reject
    })
  }

  /** Says goodbye; resolves when the connection is closed. */
  leave(): Promise<void> {
    this.#failed = undefined
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve())
      this.send(`<presence type='unavailable'/></stream:stream>`)
    })
  }

  /** Is gone without a word. */
  vanish(): void {
    this.#socket.destroy()
  }

  #read(text: string): void {
    if (this.#found === undefined) return
    this.#text += text
    if (!this.#text.includes(this.#mark)) return
    const found = this.#found
    this.#found = undefined
    found(this.#text)
  }

  /** The client's last message (RFC 5802 §3). */
  #final(first: string, element: string): string {
    const { hash, keys: { clientKey, storedKey } } = this.#guest
    const challenge = decoded(/>([^<]*)<\/challenge>/.exec(element)?.[1] ?? '')
    const nonce = /r=([^,]*)/.exec(challenge)?.[1] ?? ''
    const unproved = `c=${encoded('n,,')},r=${nonce}`
    const signature = this.#crypto.hmac(hash, storedKey, Buffer.from(`${first},${challenge},${unproved}`, 'latin1'))
    const proof = signature.map((byte, i) => byte ^ (clientKey[i] as number))
    return `${unproved},p=${Buffer.from(proof).toString('base64')}`
  }
}

function encoded(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64')
}

function decoded(base64: string): string {
  return Buffer.from(base64, 'base64').toString('latin1')
}
