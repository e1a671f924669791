/** What is between a client and the server and can fail: a TCP relay on a port of its own, which a test cuts and restores. */
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { after, before } from 'node:test'

export class Relay {
  readonly #upstreamPort: () => number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Clients that connected while it was cut. */
  readonly #waiting = new Set<Socket>()
  #isCut = false

  /** `upstreamPort` is asked at each connection, since a server has ports only once it is there. */
  constructor(upstreamPort: () => number) {
    this.#upstreamPort = upstreamPort
    this.#server = createServer((client) => this.#accept(client))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#server.once('error', reject).listen(0, '127.0.0.1', resolve))
  }

  /**
   * Every connection is gone without a word. New ones come to nothing until it is restored: they hang, as in a network
   * that loses packets. COMPAT(profanity 0.13): after an attempt that is refused it has forgotten what it could resume.
   */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  restore(): void {
    this.#isCut = false
    for (const client of this.#waiting) this.#connect(client)
    this.#waiting.clear()
  }

  async close(): Promise<void> {
    this.cut()
    for (const client of this.#waiting) client.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  #accept(client: Socket): void {
    if (!this.#isCut) return this.#connect(client)
    this.#waiting.add(client)
    client.on('error', () => {})
    client.on('close', () => this.#waiting.delete(client))
  }

  #connect(client: Socket): void {
    const upstream = connect(this.#upstreamPort(), '127.0.0.1')
    this.#join(client, upstream)
    this.#join(upstream, client)
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.pipe(to)
    // The other side learns the end from the closing.
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      to.end()
    })
  }
}

/** A relay for the suite in which this is called. */
export function useRelay(upstreamPort: () => number): Relay {
  const relay = new Relay(upstreamPort)
  before(() => relay.listen())
  after(() => relay.close())
  return relay
}
