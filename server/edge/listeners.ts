/**
 * The ports an edge listens on, and what happens to a connection between accept and its first byte: limits, then the
 * transport that the port is for.
 */
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { plainAddress } from './address-guard.ts'
import type { Verdict } from './admission.ts'
import type { ListenerConfig, ListenerKind } from './config.ts'
import { acceptBare } from '../runtime/bare-conduit.ts'
import type { Conduit, ConduitOwner } from '../runtime/index.ts'
import { inheritOptions } from '../runtime/inherited-options.ts'
import { StreamConduit } from '../runtime/stream-conduit.ts'
import { UNAVAILABLE } from './http-routes.ts'
import type { Hub } from './hub.ts'
import { NS_COMPONENT, streamErrorWire, streamHeaderWire } from './stream-wire.ts'
import { NS_CLIENT } from '@rollcall/stanza'

/** Takes over a connection that passed the limits; whoever takes it calls `hub.guard.leave(address)` when it is gone. */
export type Acceptor = (conduit: Conduit, address: string) => void

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

  /** Stops accepting; connections that are open stay so. */
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
    const accepted = (conduit: Conduit) => this.#connection(config.kind, conduit)
    server.on('connection', (socket) => accepted(new StreamConduit(socket)))
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => reject(new ListenError(config, error))
      server.once('error', failed)
      const { address: host, port, isShared: reusePort = false } = config
      server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
        server.off('error', failed)
        // TLS and HTTP need sockets.
        if (inheritOptions(server) && (config.kind === 'client' || config.kind === 'component')) acceptBare(server, accepted)
        server.on('error', (error) => this.#hub.ports.log.error('listener-failed', { kind: config.kind, port, error }))
        resolve(server)
      })
    })
  }

  #connection(kind: ListenerKind, conduit: Conduit): void {
    const { guard, ports, metrics, config, isFull } = this.#hub
    const address = plainAddress(conduit.remoteAddress)
    // A proxy is many clients: they are counted one by one when their requests are read.
    const isProxy = kind.startsWith('http') && config.http.trustedProxies.includes(address)
    if (isFull || (!isProxy && !guard.enter(address, ports.clock.monotonic()))) {
      metrics.accepted(isFull ? 'full' : 'address-limit')
      refuse(kind, conduit, this.#hub, 'too many connections')
      return
    }
    if (kind === 'component') {
      // A part of the service: its users are there already.
      metrics.accepted('accepted')
      this.#acceptors[kind](conduit, address)
      return
    }
    this.#admit(kind, conduit, address, isProxy)
  }

  /** Lets it in at once, later or not at all, as the load allows. */
  #admit(kind: ListenerKind, conduit: Conduit, address: string, isProxy: boolean): void {
    const verdict = this.#hub.admission.verdict()
    if (verdict === undefined) this.#keepWaiting(kind, conduit, address, isProxy)
    else this.#decided(verdict, kind, conduit, address, isProxy)
  }

  #keepWaiting(kind: ListenerKind, conduit: Conduit, address: string, isProxy: boolean): void {
    // Whoever waits costs no memory for what it sends.
    conduit.hold()
    this.#hub.admission.wait({
      conduit,
      decide: (verdict) => this.#decided(verdict, kind, conduit, address, isProxy),
      left: () => {
        conduit.destroy()
        if (!isProxy) this.#hub.guard.leave(address)
      },
    })
  }

  #decided(verdict: Verdict, kind: ListenerKind, conduit: Conduit, address: string, isProxy: boolean): void {
    const { guard, metrics } = this.#hub
    metrics.accepted(verdict)
    if (verdict === 'accepted') {
      this.#acceptors[kind](conduit, address)
      return
    }
    if (!isProxy) guard.leave(address)
    refuse(kind, conduit, this.#hub, OVERLOADED)
  }
}

/** Says `resource-constraint` where that costs one write, otherwise just closes. */
function refuse(kind: ListenerKind, conduit: Conduit, hub: Hub, text: string): void {
  const farewell = farewellOf(kind, hub, text)
  if (farewell === undefined) {
    conduit.destroy()
    return
  }
  // TCP resets a connection that is closed with something unread, and what it was told may be lost with it: so it is read, and dropped.
  conduit.start(new Refused(conduit))
  conduit.write(farewell)
  conduit.end()
  // The network is looked at between two turns.
  const { clock } = hub.ports
  clock.soon(() => clock.soon(() => conduit.destroy()))
}

function farewellOf(kind: ListenerKind, hub: Hub, text: string): string | undefined {
  if (kind === 'http') return UNAVAILABLE
  if (kind !== 'client' && kind !== 'component') return undefined
  const header = { id: hub.ports.random.id(), from: hub.defaultHost.domainpart, to: undefined }
  const contentNs = kind === 'client' ? NS_CLIENT : NS_COMPONENT
  hub.metrics.streamError('resource-constraint')
  return `${streamHeaderWire(contentNs, header)}${streamErrorWire({ condition: 'resource-constraint', text })}</stream:stream>`
}

/** Somebody who is not listened to. */
class Refused implements ConduitOwner {
  readonly #conduit: Conduit

  constructor(conduit: Conduit) {
    this.#conduit = conduit
  }

  /** One read is enough. */
  onBytes(): void {
    this.#conduit.pause()
  }

  onEnd(): void {}
  onDrained(): void {}
  onGone(): void {}
}
