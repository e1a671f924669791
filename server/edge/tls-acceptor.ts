/**
 * TLS on accepted sockets, from the first byte or after STARTTLS: the same way for both.
 *
 * Sockets are handed to a `tls.Server` that never listens, by its `connection` event; wrapping them in a `TLSSocket` of
 * our own would leave `authorized` false for every client certificate. There is one such server per host, because a
 * client that sends no server name (SNI) still named its host in the stream header. The finished socket finds its
 * connection by the peer's address and port, which no two living sockets share.
 *
 * Where TLS is to leave OpenSSL after the handshake, a client whose hello allows that gets a `TlsPipe` under its TLS. Its secrets
 * come as lines of the key log, which goes nowhere else.
 */
import type { Socket } from 'node:net'
import { createServer } from 'node:tls'
import type { Server, TLSSocket } from 'node:tls'
import type { Certificates } from './certificates.ts'
import type { EdgeMetrics } from './edge-metrics.ts'
import { asciiOf } from './self-signed.ts'
import { judgeHello } from './tls-records/client-hello.ts'
import { TlsPipe } from './tls-records/tls-pipe.ts'

export interface TlsAcceptorPorts {
  readonly certificates: Certificates
  readonly metrics: EdgeMetrics
  /** Monotonic ms. */
  now(): number
  /** Calls back in a later turn. */
  soon(callback: () => void): void
  readonly handshakeTimeoutMs: number
}

/** Called with the finished socket, and with what is under it where OpenSSL may be left. */
export type Secured = (socket: TLSSocket, pipe: TlsPipe | undefined) => void

interface Handshake {
  readonly startedMs: number
  readonly done: Secured
  readonly forget: () => void
  pipe: TlsPipe | undefined
}

export interface TlsAcceptorOptions {
  /**
   * The ALPN name: a client that offers only others is refused in the handshake (RFC 7301 §3.2), one that offers none is
   * welcome (XEP-0368 §4).
   */
  readonly protocol: string
  /** Whether client certificates may be asked for. */
  readonly asksClients: boolean
  /** Whether `Secured` can do with a pipe. */
  readonly mayLeaveOpenSsl: boolean
}

export class TlsAcceptor {
  readonly #ports: TlsAcceptorPorts
  readonly #options: TlsAcceptorOptions
  readonly #servers = new Map<string, Server>()
  readonly #handshakes = new Map<string, Handshake>()

  constructor(ports: TlsAcceptorPorts, options: TlsAcceptorOptions) {
    this.#ports = ports
    this.#options = options
  }

  /** Runs the handshake; a failure just closes the socket. `host` decides where the client names none. */
  accept(socket: Socket, host: string, done: Secured): void {
    const key = handshakeKey(socket)
    const server = this.#serverFor(host)
    if (key === undefined || server === undefined) {
      socket.destroy()
      return
    }
    const remove = () => this.#handshakes.delete(key)
    const handshake: Handshake = { startedMs: this.#ports.now(), done, pipe: undefined, forget: () => socket.off('close', remove) }
    this.#handshakes.set(key, handshake)
    socket.on('close', remove)
    if (this.#leavesOpenSsl) this.#awaitHello(socket, server, handshake)
    else server.emit('connection', socket)
  }

  get #leavesOpenSsl(): boolean {
    return this.#options.mayLeaveOpenSsl && this.#ports.certificates.tellsSecrets
  }

  /** Reads the hello, of 16 KiB at most, and hands it on. */
  #awaitHello(socket: Socket, server: Server, handshake: Handshake): void {
    let hello: Buffer | undefined
    const onData = (chunk: Buffer) => {
      hello = hello === undefined ? chunk : Buffer.concat([hello, chunk])
      const verdict = judgeHello(hello)
      if (verdict === 'more') return
      socket.off('data', onData)
      socket.pause()
      if (verdict === 'other') {
        socket.unshift(hello)
        server.emit('connection', socket)
        return
      }
      handshake.pipe = new TlsPipe(socket, (callback) => this.#ports.soon(callback))
      server.emit('connection', handshake.pipe.socket)
      handshake.pipe.feed(hello)
    }
    socket.on('data', onData)
    socket.resume()
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
      requestCert: this.#options.asksClients && certificates.asksClients,
      // Whoever shows a bad certificate may still log in with a password.
      rejectUnauthorized: false,
      handshakeTimeout: this.#ports.handshakeTimeoutMs,
      SNICallback: (name, use) => use(null, certificates.contextFor(asciiOf(name))),
      ALPNCallback: ({ protocols }) => (protocols.includes(this.#options.protocol) ? this.#options.protocol : undefined),
    })
    server.on('secureConnection', (socket) => this.#finish(socket))
    server.on('tlsClientError', (_error, socket) => {
      metrics.tlsFailures.add(1)
      socket.destroy()
    })
    if (this.#leavesOpenSsl) server.on('keylog', (line, socket) => this.#keylog(line, socket))
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

  #keylog(line: Buffer, socket: TLSSocket): void {
    const key = handshakeKey(socket)
    const pipe = key === undefined ? undefined : this.#handshakes.get(key)?.pipe
    if (pipe !== undefined) pipe.handOver.keylog(line)
  }

  #finish(socket: TLSSocket): void {
    const key = handshakeKey(socket)
    const handshake = key === undefined ? undefined : this.#handshakes.get(key)
    if (key === undefined || handshake === undefined) {
      socket.destroy()
      return
    }
    this.#handshakes.delete(key)
    handshake.forget()
    this.#ports.metrics.handshakeSeconds.observe((this.#ports.now() - handshake.startedMs) / 1000)
    handshake.done(socket, handshake.pipe)
  }
}

/** Undefined when the socket is already gone. */
function handshakeKey({ remoteAddress, remotePort, localPort }: Socket): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress} ${remotePort} ${localPort}`
}
