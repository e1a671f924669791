/**
 * One connection of a simulated client: plain TCP, TLS from the start, or STARTTLS.
 *
 * Plain sockets read into one buffer shared by the whole process (each chunk is handled before the next is read), which
 * saves an allocation and a stream's machinery per read; TLS goes through Node's streams.
 */
import { connect as connectTcp } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type TlsMode = 'none' | 'starttls' | 'direct'

export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly tls: TlsMode
  /** Name for SNI. */
  readonly domain: string
  /** Own addresses to connect from, in turn: one address has only some 28,000 ports. */
  readonly sourceAddresses: readonly string[]
}

export interface SocketEvents {
  /** Connected (and encrypted, in mode `direct`). */
  opened(): void
  /** The bytes are valid only during the call. */
  received(bytes: Uint8Array): void
  /** STARTTLS is done. */
  secured(): void
  /** Once, last. */
  closed(reason: string): void
}

const READ_BYTES = 262_144
const readBuffer = new Uint8Array(READ_BYTES)
let turn = 0

/** A socket whose events go to `events`; after `destroy` none come but `closed`. */
export class ClientSocket {
  private readonly endpoint: Endpoint
  private readonly events: SocketEvents
  private socket: Socket
  private reason = ''
  private isDone = false

  constructor(endpoint: Endpoint, events: SocketEvents) {
    this.endpoint = endpoint
    this.events = events
    this.socket = this.open()
  }

  write(wire: string): void {
    this.socket.write(wire, 'latin1')
  }

  /** Stops and starts reading; what the server sends meanwhile fills the kernel's buffers, then the server's. */
  setReading(isReading: boolean): void {
    if (isReading) this.socket.resume()
    else this.socket.pause()
  }

  /** Sends what is written, then closes. */
  end(): void {
    this.socket.end()
  }

  /** Closes at once. */
  destroy(): void {
    this.socket.destroy()
  }

  /** Encrypts from here on (after STARTTLS has been agreed). */
  secure(): void {
    const raw = this.socket
    raw.removeAllListeners('data')
    raw.removeAllListeners('close')
    this.socket = connectTls({ socket: raw, servername: this.endpoint.domain, rejectUnauthorized: false })
    this.socket.once('secureConnect', () => this.events.secured())
    this.listen(true)
  }

  private open(): Socket {
    const { host, port, tls, domain, sourceAddresses } = this.endpoint
    const localAddress = sourceAddresses.length === 0 ? undefined : sourceAddresses[turn++ % sourceAddresses.length]
    const from = localAddress === undefined ? {} : { localAddress }
    if (tls === 'direct') {
      const socket = connectTls({ host, port, ...from, servername: domain, rejectUnauthorized: false, ALPNProtocols: ['xmpp-client'] })
      this.socket = socket
      socket.once('secureConnect', () => this.opened())
      this.listen(true)
      return socket
    }
    const isPlain = tls === 'none'
    const onread = { buffer: readBuffer, callback: (length: number) => this.read(length) }
    const socket = connectTcp({ host, port, ...from, noDelay: true, ...(isPlain ? { onread } : {}) })
    this.socket = socket
    socket.once('connect', () => this.opened())
    this.listen(!isPlain)
    return socket
  }

  private opened(): void {
    this.socket.setNoDelay(true)
    this.events.opened()
  }

  private listen(isStream: boolean): void {
    const { socket } = this
    if (isStream) socket.on('data', (chunk: Buffer) => this.events.received(chunk))
    socket.on('error', (error: Error) => { this.reason ||= error.message })
    socket.on('close', () => {
      if (this.isDone) return
      this.isDone = true
      this.events.closed(this.reason === '' ? 'closed by the server' : this.reason)
    })
  }

  private read(length: number): boolean {
    this.events.received(readBuffer.subarray(0, length))
    return true
  }
}
