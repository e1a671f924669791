/**
 * TLS on accepted sockets, from the first byte or after STARTTLS: the same way for both.
 *
 * Sockets are handed to a `tls.Server` that never listens, by its `connection` event; wrapping them in a `TLSSocket` of
 * our own would leave `authorized` false for every client certificate. There is one such server per host, because a
 * client that sends no server name (SNI) still named its host in the stream header. The finished socket finds its
 * connection by the peer's address and port, which no two living sockets share.
 */
import type { Socket } from 'node:net'
import { createServer } from 'node:tls'
import type { Server, TLSSocket } from 'node:tls'
import type { Certificates } from './certificates.ts'
import type { EdgeMetrics } from './edge-metrics.ts'
import { asciiOf } from './self-signed.ts'

export interface TlsAcceptorPorts {
  readonly certificates: Certificates
  readonly metrics: EdgeMetrics
  /** Monotonic ms. */
  now(): number
  readonly handshakeTimeoutMs: number
}

/** Called with the finished socket. */
export type Secured = (socket: TLSSocket) => void

interface Handshake {
  readonly startedMs: number
  readonly done: Secured
}

export class TlsAcceptor {
  readonly #ports: TlsAcceptorPorts
  readonly #protocol: string
  readonly #asksClients: boolean
  readonly #servers = new Map<string, Server>()
  readonly #handshakes = new Map<string, Handshake>()

  /**
   * `protocol` is the ALPN name: a client that offers only others is refused in the handshake (RFC 7301 §3.2), one that
   * offers none is welcome (XEP-0368 §4).
   */
  constructor(ports: TlsAcceptorPorts, protocol: string, asksClients: boolean) {
    this.#ports = ports
    this.#protocol = protocol
    this.#asksClients = asksClients
  }

  /** Runs the handshake; a failure just closes the socket. `host` decides where the client names none. */
  accept(socket: Socket, host: string, done: Secured): void {
    const key = handshakeKey(socket)
    const server = this.#serverFor(host)
    if (key === undefined || server === undefined) {
      socket.destroy()
      return
    }
    this.#handshakes.set(key, { startedMs: this.#ports.now(), done })
    socket.once('close', () => this.#handshakes.delete(key))
    server.emit('connection', socket)
  }

  /** Certificates have changed: connections from now on get the new ones. */
  reload(): void {
    // Servers are made again when asked for; a handshake under way goes on with the old one.
    this.#servers.clear()
  }

  get handshakeCount(): number {
    return this.#handshakes.size
  }

  #serverFor(host: string): Server | undefined {
    const known = this.#servers.get(host)
    if (known !== undefined) return known
    if (this.#ports.certificates.pairFor(host) === undefined) return undefined
    const { certificates, metrics } = this.#ports
    const server = createServer({
      ...this.#contextOptions(host),
      requestCert: this.#asksClients && certificates.asksClients,
      // Whoever shows a bad certificate may still log in with a password.
      rejectUnauthorized: false,
      handshakeTimeout: this.#ports.handshakeTimeoutMs,
      SNICallback: (name, use) => use(null, certificates.contextFor(asciiOf(name))),
      ALPNCallback: ({ protocols }) => (protocols.includes(this.#protocol) ? this.#protocol : undefined),
    })
    server.on('secureConnection', (socket) => this.#finish(socket))
    server.on('tlsClientError', (_error, socket) => {
      metrics.tlsFailures.add(1)
      socket.destroy()
    })
    this.#servers.set(host, server)
    return server
  }

  #contextOptions(host: string) {
    const { certificates } = this.#ports
    const pair = certificates.pairFor(host)
    const { minVersion, ciphers } = certificates.config
    const passphrase = certificates.config.certificates[host]?.passphrase
    return { cert: pair?.certificate, key: pair?.key, passphrase, ca: certificates.authorities, minVersion, ciphers, honorCipherOrder: true }
  }

  #finish(socket: TLSSocket): void {
    const key = handshakeKey(socket)
    const handshake = key === undefined ? undefined : this.#handshakes.get(key)
    if (key === undefined || handshake === undefined) {
      socket.destroy()
      return
    }
    this.#handshakes.delete(key)
    this.#ports.metrics.handshakeSeconds.observe((this.#ports.now() - handshake.startedMs) / 1000)
    handshake.done(socket)
  }
}

/** Undefined when the socket is already gone. */
function handshakeKey({ remoteAddress, remotePort, localPort }: Socket): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress} ${remotePort} ${localPort}`
}
