/**
 * The edge: sockets on one side, bus messages on the other, and nothing it knows about users in between.
 *
 * It does not attach itself to the bus, because a member that is edge and core has one handler: the caller passes what
 * is addressed to edges to `receive`.
 */
import type { Socket } from 'node:net'
import type { MemberId, Metrics } from '@rollcall/ports'
import type { AddressFailed } from '../protocol/member-messages.ts'
import type { CoreToEdge, ServerMessage } from '../protocol/messages.ts'
import type { DeliverBroadcast } from '../protocol/presence-messages.ts'
import type { Conduit } from '../runtime/index.ts'
import { Census } from './census.ts'
import { Certificates } from './certificates.ts'
import { ClientStream } from './client-stream.ts'
import { ComponentStream } from './component-stream.ts'
import type { EdgeConfig } from './config.ts'
import { EdgeMetrics } from './edge-metrics.ts'
import type { Guest } from './guest.ts'
import { HttpFront } from './http-front.ts'
import type { HttpRoute } from './http-routes.ts'
import { Hub } from './hub.ts'
import type { HubMember, HubPorts } from './hub.ts'
import { Listeners } from './listeners.ts'
import type { BoundListener } from './listeners.ts'
import { EdgeMembers } from './members.ts'
import type { Stage } from './stages.ts'
import { faultOf } from './stream-wire.ts'
import { takeIn } from './take-in.ts'
import { TcpConnection } from './tcp-connection.ts'
import { TlsAcceptor } from './tls-acceptor.ts'

export interface EdgePorts extends HubPorts {
  readonly config: EdgeConfig
  readonly metrics: Metrics
  /** Served over HTTP beside WebSocket, BOSH and host-meta: the chat page, administration. First match wins. */
  readonly routes?: readonly HttpRoute[]
}

/** What main needs of an edge. */
export interface Edge {
  /** Loads certificates and opens the ports; rejects with `CertificateError` or `ListenError`, then nothing is open. */
  start(): Promise<void>
  /** Stops accepting, tells clients (`system-shutdown`), waits for their output and close tags, `drainMs` at most. */
  drain(): Promise<void>
  /** Gives up what is left, at once. */
  stop(): Promise<void>
  /** New limits, time-outs, hosts, certificates; listeners stay. Rejects with `CertificateError`, then the old config stays. */
  reload(config: EdgeConfig): Promise<void>
  /** One-way messages of cores to this edge; others are ignored. */
  receive(from: MemberId, message: ServerMessage): void
  /** Requests of other edges; undefined for any other. */
  answer(message: ServerMessage): Promise<unknown> | undefined
  /** Stops (or resumes) reading all clients: for a core that cannot keep up. */
  setReadsHeld(isHeld: boolean): void
  readonly listeners: readonly BoundListener[]
  readonly connectionCount: number
  /** Goes on with a client that another edge has handed on. */
  takeIn(guest: Guest, conduit: Conduit): void
  /** What it does as one of several. */
  readonly members: EdgeMembers
  /** Bytes that wait for peers to read, at most one sweep old. */
  readonly queuedBytes: number
  /** How long clients that have more to say than their share wait for their turn, in ms. */
  readonly lineMs: number
}

const STAGES: readonly Stage[] = ['header', 'negotiating', 'authenticated', 'bound', 'closing']
const TRANSPORTS = ['tcp', 'tls', 'websocket', 'bosh'] as const

/** An edge over the given ports; nothing happens before `start`. */
export function createEdge(ports: EdgePorts): Edge {
  return new RunningEdge(ports)
}

class RunningEdge implements Edge {
  readonly #hub: Hub
  readonly #certificates: Certificates
  readonly #xmppTls: TlsAcceptor
  readonly #httpTls: TlsAcceptor
  readonly members: EdgeMembers
  readonly #listeners: Listeners
  readonly #clients: ClientStream
  readonly #components: ComponentStream
  readonly #http: HttpFront
  readonly #census: Census

  constructor(ports: EdgePorts) {
    const metrics = new EdgeMetrics(ports.metrics)
    this.#hub = new Hub(ports.config, ports, metrics)
    this.members = new EdgeMembers(this.#hub)
    this.#certificates = new Certificates(ports.config.tls, ports)
    const tlsPorts = {
      certificates: this.#certificates, metrics, now: () => ports.clock.monotonic(), soon: (callback: () => void) => ports.clock.soon(callback),
      handshakeTimeoutMs: ports.config.timeouts.negotiationMs,
    }
    this.#xmppTls = new TlsAcceptor(tlsPorts, { protocol: 'xmpp-client', asksClients: true, mayLeaveOpenSsl: true })
    this.#httpTls = new TlsAcceptor(tlsPorts, { protocol: 'http/1.1', asksClients: false, mayLeaveOpenSsl: false })
    this.#clients = new ClientStream(this.#hub)
    this.#components = new ComponentStream(this.#hub)
    this.#http = new HttpFront(this.#hub, this.#clients, ports.routes ?? [])
    this.#certificates.onChange(() => {
      this.#xmppTls.reload()
      this.#httpTls.reload()
    })
    this.#listeners = new Listeners(this.#hub, {
      'client': (conduit, address) => this.#acceptClient(conduit, address),
      'client-tls': (conduit, address) => this.#acceptClientTls(conduit, address),
      'component': (conduit, address) => this.#acceptComponent(conduit, address),
      'http': (conduit, address) => this.#http.accept(conduit.toSocket(), address),
      'https': (conduit, address) => this.#acceptHttps(conduit.toSocket(), address),
    })
    this.#census = new Census(this.#hub)
    this.#observe(metrics)
  }

  get listeners(): readonly BoundListener[] {
    return this.#listeners.bound
  }

  get connectionCount(): number {
    return this.#hub.connections.size
  }

  get queuedBytes(): number {
    return this.#hub.queuedBytes
  }

  get lineMs(): number {
    return this.#hub.share.waitMs
  }

  async start(): Promise<void> {
    const { config } = this.#hub
    await this.#certificates.load(config.hosts, config.tls)
    await this.#listeners.open(config.listeners)
    this.#certificates.watch()
    this.#hub.start()
    this.#http.start()
  }

  async drain(): Promise<void> {
    this.#hub.isDraining = true
    await this.#listeners.close()
    this.#hub.admission.close()
    const { clock } = this.#hub.ports
    for (const connection of this.#hub.connections.values()) connection.fail({ condition: 'system-shutdown' })
    if (this.#hub.connections.size === 0) return
    const endMs = clock.monotonic() + this.#hub.config.timeouts.drainMs
    await new Promise<void>((resolve) => {
      const look = clock.every(DRAIN_LOOK_MS, () => {
        if (this.#hub.connections.size > 0 && clock.monotonic() < endMs) return
        look.cancel()
        resolve()
      })
    })
  }

  async stop(): Promise<void> {
    this.#hub.isDraining = true
    await this.#listeners.close()
    this.#certificates.unwatch()
    this.#hub.stop()
    for (const connection of this.#hub.connections.values()) connection.destroy()
    this.#http.stop()
  }

  async reload(config: EdgeConfig): Promise<void> {
    await this.#certificates.load(config.hosts, config.tls)
    this.#hub.configure(config)
    this.#hub.ports.log.info('edge-reloaded', { hosts: config.hosts })
  }

  receive(from: MemberId, message: ServerMessage): void {
    const edgeMessage = message as CoreToEdge | AddressFailed
    switch (edgeMessage.kind) {
      case 'deliver':
        this.#deliver(this.#hub.connections.get(edgeMessage.conn), edgeMessage.wire)
        return
      case 'deliver-presence': {
        const connection = this.#hub.connections.get(edgeMessage.conn)
        connection?.remote?.delivered(edgeMessage.wire, this.#hub.nowMs)
        connection?.deliverPresence(edgeMessage.wire)
        return
      }
      case 'deliver-echo':
        this.#hub.connections.get(edgeMessage.conn)?.deliverEcho(edgeMessage.wire)
        return
      case 'session-state':
        this.#hub.connections.get(edgeMessage.conn)?.mirror(from, edgeMessage)
        return
      case 'deliver-broadcast':
        this.#deliverBroadcast(edgeMessage)
        return
      case 'close-stream':
        this.#hub.connections.get(edgeMessage.conn)?.closeByCore(faultOf(edgeMessage))
        return
      case 'address-failed':
        this.#hub.guard.authFailed(edgeMessage.address, this.#hub.ports.clock.monotonic())
        return
      case 'host-info-changed':
        this.#hub.forgetHosts()
        return
      default:
    }
  }

  answer(message: ServerMessage): Promise<unknown> | undefined {
    return message.kind === 'bosh-request' ? this.#http.bosh.remote(message.sid, message.body) : undefined
  }

  #deliver(connection: HubMember | undefined, wire: string): void {
    connection?.remote?.delivered(wire, this.#hub.nowMs)
    connection?.deliver(wire)
  }

  /** The wire string of each is put together here. None of them has stream management, so nobody remembers it. */
  #deliverBroadcast({ head, tail, conns, addresses }: DeliverBroadcast): void {
    const { connections } = this.#hub
    for (let i = 0; i < conns.length; i++) connections.get(conns[i] as number)?.deliverPresence(head + (addresses[i] as string) + tail)
  }

  takeIn(guest: Guest, conduit: Conduit): void {
    takeIn(this.#hub, this.#clients, guest, conduit)
  }

  setReadsHeld(isHeld: boolean): void {
    this.#hub.setReadsHeld(isHeld)
  }

  #acceptClient(conduit: Conduit, address: string): void {
    const connection = new TcpConnection(this.#hub, this.#clients, address, conduit, this.#startTls)
    this.#hub.add(connection)
    connection.start()
  }

  /** STARTTLS: one function for all connections. */
  readonly #startTls = (connection: TcpConnection, socket: Socket, host: string | undefined): void => {
    this.#xmppTls.accept(socket, host ?? this.#hub.defaultHost.domainpart, (secure, pipe) => connection.secured(secure, pipe))
  }

  #acceptClientTls(conduit: Conduit, address: string): void {
    const connection = new TcpConnection(this.#hub, this.#clients, address, conduit, undefined)
    this.#hub.add(connection)
    this.#startTls(connection, connection.startHandshake(), undefined)
  }

  #acceptComponent(conduit: Conduit, address: string): void {
    const connection = new TcpConnection(this.#hub, this.#components, address, conduit, undefined)
    this.#hub.add(connection)
    connection.start()
  }

  #acceptHttps(socket: Socket, address: string): void {
    socket.on('error', () => socket.destroy())
    this.#http.count(socket, address)
    this.#httpTls.accept(socket, this.#hub.defaultHost.domainpart, (secure) => this.#http.acceptCounted(secure))
  }

  #observe(metrics: EdgeMetrics): void {
    metrics.observe('rollcall_edge_presence_gathering', 'Connections whose presence waits to be written together.', () => this.#hub.gathering.size)
    for (const transport of TRANSPORTS) {
      for (const stage of STAGES) {
        const labels = { transport, stage }
        metrics.observe('rollcall_edge_connections', 'Connections by transport and stage.', () => this.#census.count(transport, stage), labels)
      }
    }
    metrics.observe('rollcall_edge_tls_compact', 'TLS connections that have left OpenSSL for the compact record layer.', () => metrics.compactCount)
    metrics.observe('rollcall_edge_output_queue_bytes', 'Bytes that wait for peers to read.', () => this.#census.queuedBytes)
    metrics.observe('rollcall_edge_admission_waiting', 'Connections that wait to be let in.', () => this.#hub.admission.size)
    metrics.observe('rollcall_edge_addresses', 'Addresses remembered for limits.', () => this.#hub.guard.size)
    for (const host of this.#hub.config.hosts) {
      metrics.observe('rollcall_edge_certificate_seconds_left', 'Until the certificate ends.', () => this.#certificates.secondsLeft(host), { host })
    }
  }
}

/** How often a drain looks whether it is done. */
const DRAIN_LOOK_MS = 50
