/**
 * The ports an edge listens on, and what happens to a socket between accept and its first byte: limits, then the
 * transport that the port is for.
 */
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { plainAddress } from './address-guard.ts'
import type { Applicant, Verdict } from './admission.ts'
import type { ListenerConfig, ListenerKind } from './config.ts'
import { readDirectly } from '../runtime/direct-read.ts'
import { holdRead, releaseRead } from '../runtime/held-read.ts'
import { inheritOptions } from '../runtime/inherited-options.ts'
import { UNAVAILABLE } from './http-routes.ts'
import type { Hub } from './hub.ts'
import { NS_COMPONENT, streamErrorWire, streamHeaderWire } from './stream-wire.ts'
import { NS_CLIENT } from '@rollcall/stanza'

/** Takes over a socket that passed the limits; whoever takes it calls `hub.guard.leave(address)` when it is gone. */
export type Acceptor = (socket: Socket, address: string) => void

/** A port that could not be opened. */
export class ListenError extends Error {
  readonly listener: ListenerConfig
  /** The system's code, for instance `EADDRINUSE` or `EACCES`. */
  readonly code: string

  constructor(listener: ListenerConfig, cause: Error & { readonly code?: string }) {
    super(`cannot listen on ${listener.address} port ${listener.port}: ${cause.message}`, { cause })
    this.name = 'ListenError'
    this.listener = listener
    this.code = cause.code ?? 'unknown'
  }
}

/** Where a listener really listens. */
export interface BoundListener {
  readonly kind: ListenerKind
  readonly address: string
  readonly port: number
}

/** Connections waiting to be accepted. */
const BACKLOG = 1024
/** Told to those who cannot be let in now; RFC 6120 §4.9.3.17 leaves it to them when to try again. */
const OVERLOADED = 'overloaded, try again in a minute'

export class Listeners {
  readonly #hub: Hub
  readonly #acceptors: Readonly<Record<ListenerKind, Acceptor>>
  readonly #servers: { readonly server: Server; readonly kind: ListenerKind }[] = []

  constructor(hub: Hub, acceptors: Readonly<Record<ListenerKind, Acceptor>>) {
    this.#hub = hub
    this.#acceptors = acceptors
  }

  /** Opens every port; rejects with `ListenError` for the first that fails, with none left open. */
  async open(configs: readonly ListenerConfig[]): Promise<void> {
    try {
      for (const config of configs) this.#servers.push({ server: await this.#listen(config), kind: config.kind })
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Stops accepting; sockets that are open stay so. */
  async close(): Promise<void> {
    const servers = this.#servers.splice(0)
    await Promise.all(servers.map(({ server }) => new Promise<void>((resolve) => {
      server.close()
      // A net.Server calls back only when its last socket is gone, which is not what is waited for.
      resolve()
    })))
  }

  get bound(): BoundListener[] {
    return this.#servers.map(({ server, kind }) => {
      const { address, port } = server.address() as AddressInfo
      return { kind, address, port }
    })
  }

  #listen(config: ListenerConfig): Promise<Server> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 })
    server.on('connection', (socket) => this.#connection(config.kind, socket))
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(new ListenError(config, error))
      server.once('error', failed)
      const { address: host, port, isShared: reusePort = false } = config
      server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
        server.off('error', failed)
        inheritOptions(server)
        server.on('error', (error) => this.#hub.ports.log.error('listener-failed', { kind: config.kind, port, error }))
        resolve(server)
      })
    })
  }

  #connection(kind: ListenerKind, socket: Socket): void {
    const { guard, ports, metrics, config, isFull } = this.#hub
    const address = plainAddress(socket.remoteAddress)
    // A proxy is many clients: they are counted one by one when their requests are read.
    const isProxy = kind.startsWith('http') && config.http.trustedProxies.includes(address)
    if (isFull || (!isProxy && !guard.enter(address, ports.clock.monotonic()))) {
      metrics.accepted(isFull ? 'full' : 'address-limit')
      refuse(kind, socket, this.#hub, 'too many connections')
      return
    }
    if (kind === 'component') {
      // A part of the service: its users are there already.
      metrics.accepted('accepted')
      this.#acceptors[kind](socket, address)
      return
    }
    this.#admit(kind, socket, address, isProxy)
  }

  /** Lets the socket in at once, later or not at all, as the load allows. */
  #admit(kind: ListenerKind, socket: Socket, address: string, isProxy: boolean): void {
    const verdict = this.#hub.admission.verdict()
    if (verdict === undefined) this.#keepWaiting(kind, socket, address, isProxy)
    else this.#decided(verdict, kind, socket, address, isProxy)
  }

  #keepWaiting(kind: ListenerKind, socket: Socket, address: string, isProxy: boolean): void {
    const { admission, guard } = this.#hub
    const destroy = () => socket.destroy()
    const left = () => {
      admission.leave(applicant)
      if (!isProxy) guard.leave(address)
    }
    const applicant: Applicant = {
      socket,
      decide: (verdict) => {
        socket.off('error', destroy)
        socket.off('close', left)
        releaseRead(socket)
        this.#decided(verdict, kind, socket, address, isProxy)
      },
    }
    // Whoever waits costs no memory for what it sends.
    holdRead(socket)
    // An unheard error would end the process.
    socket.on('error', destroy)
    socket.on('close', left)
    admission.wait(applicant)
  }

  #decided(verdict: Verdict, kind: ListenerKind, socket: Socket, address: string, isProxy: boolean): void {
    const { guard, metrics } = this.#hub
    metrics.accepted(verdict)
    if (verdict === 'accepted') {
      this.#acceptors[kind](socket, address)
      return
    }
    if (!isProxy) guard.leave(address)
    refuse(kind, socket, this.#hub, OVERLOADED)
  }
}

/** Says `resource-constraint` where that costs one write, otherwise just closes. */
function refuse(kind: ListenerKind, socket: Socket, hub: Hub, text: string): void {
  socket.on('error', () => socket.destroy())
  // TCP resets a connection that is closed with something unread, and what it was told may be lost with it: so it is read, and dropped.
  readDirectly(socket, drop)
  const close = () => hub.ports.clock.soon(() => socket.destroy())
  if (kind === 'client' || kind === 'component') {
    const header = { id: hub.ports.random.id(), from: hub.defaultHost.domainpart, to: undefined }
    const contentNs = kind === 'client' ? NS_CLIENT : NS_COMPONENT
    const fault = streamErrorWire({ condition: 'resource-constraint', text })
    hub.metrics.streamError('resource-constraint')
    socket.end(`${streamHeaderWire(contentNs, header)}${fault}</stream:stream>`, 'latin1', close)
  } else if (kind === 'http') {
    socket.end(UNAVAILABLE, close)
  } else {
    socket.destroy()
  }
}

/** One read is enough of somebody who is not listened to. */
const drop = (): boolean => false
