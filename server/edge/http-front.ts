/**
 * One HTTP server for everything that comes over HTTP: WebSocket upgrades, BOSH requests, host-meta and the caller's
 * routes. It never listens: sockets come from our listeners, after TLS where there is TLS, so limits are the same
 * everywhere.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Timer } from '@rollcall/ports'
import { plainAddress } from './address-guard.ts'
import type { StreamService } from './connection.ts'
import { hostMeta } from './host-meta.ts'
import { answerText, matches } from './http-routes.ts'
import type { HttpRequestFacts, HttpRoute } from './http-routes.ts'
import type { Hub } from './hub.ts'
import { BoshSessions } from './bosh-sessions.ts'
import { WebSockets } from './websockets.ts'

/** What a socket is doing, for time-outs: Node keeps them only for servers that listen themselves. */
interface SocketState {
  /** 'idle' between requests, 'reading' a request, 'busy' answering it or carrying a WebSocket. */
  phase: 'idle' | 'reading' | 'busy'
  sinceMs: number
}

const TICK_MS = 1000

export class HttpFront {
  readonly #hub: Hub
  readonly #routes: readonly HttpRoute[]
  readonly #server: Server
  readonly #webSockets: WebSockets
  readonly bosh: BoshSessions
  readonly #states = new Map<Socket, SocketState>()
  #timer: Timer | undefined

  constructor(hub: Hub, clients: StreamService, routes: readonly HttpRoute[]) {
    this.#hub = hub
    const { http } = hub.config
    this.#server = createServer({
      maxHeaderSize: http.headerBytesMax,
      headersTimeout: http.requestTimeoutMs,
      requestTimeout: http.requestTimeoutMs,
      keepAliveTimeout: http.keepAliveMs,
      noDelay: true,
    })
    this.#webSockets = new WebSockets(hub, clients)
    this.bosh = new BoshSessions(hub, clients)
    this.#routes = [...hostMeta(hub), ...routes]
    this.#server.on('request', (request, response) => this.#request(request, response))
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#server.on('clientError', (_error, socket) => refuseRequest(socket))
  }

  start(): void {
    this.bosh.start()
    this.#timer ??= this.#hub.ports.clock.every(TICK_MS, () => this.#tick())
  }

  stop(): void {
    this.bosh.stop()
    this.#timer?.cancel()
    this.#timer = undefined
    this.#server.close()
    for (const socket of this.#states.keys()) socket.destroy()
  }

  /** A socket in clear. */
  accept(socket: Socket, address: string): void {
    this.count(socket, address)
    this.acceptCounted(socket)
  }

  /** The socket counts as a connection of the address until it closes. */
  count(socket: Socket, address: string): void {
    this.#hub.httpSocketCount++
    socket.once('close', () => {
      this.#hub.httpSocketCount--
      if (!this.#hub.config.http.trustedProxies.includes(address)) this.#hub.guard.leave(address)
    })
  }

  /** A socket that is counted already, or TLS over one. */
  acceptCounted(socket: Socket): void {
    this.#states.set(socket, { phase: 'idle', sinceMs: this.#hub.ports.clock.monotonic() })
    socket.once('close', () => this.#states.delete(socket))
    this.#server.emit('connection', socket)
  }

  /** Ends sockets that take too long over a request or between two. */
  #tick(): void {
    const { requestTimeoutMs, keepAliveMs } = this.#hub.config.http
    const nowMs = this.#hub.ports.clock.monotonic()
    const idleMs = Math.max(requestTimeoutMs, keepAliveMs)
    for (const [socket, { phase, sinceMs }] of this.#states) {
      const limitMs = phase === 'idle' ? idleMs : phase === 'reading' ? requestTimeoutMs : Infinity
      if (nowMs - sinceMs >= limitMs) socket.destroy()
    }
  }

  #enter(socket: Socket, phase: SocketState['phase']): void {
    const state = this.#states.get(socket)
    if (state === undefined) return
    state.phase = phase
    state.sinceMs = this.#hub.ports.clock.monotonic()
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    this.#enter(socket, 'reading')
    request.once('end', () => this.#enter(socket, 'busy'))
    response.once('close', () => this.#enter(socket, 'idle'))
    const facts = this.#facts(request)
    const method = request.method ?? ''
    if (facts.path === this.#hub.config.http.bosh.path) {
      this.bosh.request(request, response, facts)
      return
    }
    const route = this.#routes.find((one) => matches(one, method, facts.path))
    if (route === undefined) {
      const isKnown = this.#routes.some(({ path }) => path === facts.path)
      answerText(response, isKnown ? 405 : 404, isKnown ? 'Method not allowed' : 'Not found')
      return
    }
    void this.#run(route, request, response, facts)
  }

  async #run(route: HttpRoute, request: IncomingMessage, response: ServerResponse, facts: HttpRequestFacts): Promise<void> {
    try {
      await route.handle(request, response, facts)
    } catch (error) {
      this.#hub.ports.log.error('http-route-failed', { path: facts.path, error })
      answerText(response, 500, 'Internal server error')
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const facts = this.#facts(request)
    this.#enter(request.socket, 'busy')
    if (facts.path === this.#hub.config.http.websocket.path) this.#webSockets.upgrade(request, socket, head, facts)
    else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  }

  #facts(request: IncomingMessage): HttpRequestFacts {
    const { socket, headers } = request
    const peer = plainAddress(socket.remoteAddress)
    const isProxied = this.#hub.config.http.trustedProxies.includes(peer)
    const url = URL.parse(request.url ?? '/', 'http://host')
    // The last entry is the trusted proxy's own; those before it are whatever the client sent.
    const forwarded = isProxied ? lastOf(headers['x-forwarded-for']) : undefined
    return {
      isProxied,
      path: url?.pathname ?? '/',
      query: url?.searchParams ?? new URLSearchParams(),
      address: forwarded === undefined ? peer : plainAddress(forwarded),
      isSecure: 'encrypted' in socket || (isProxied && lastOf(headers['x-forwarded-proto']) === 'https'),
    }
  }
}

/** What is not HTTP gets the shortest answer that is. */
function refuseRequest(socket: Duplex): void {
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  else socket.destroy()
}

function lastOf(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.at(-1) : header
  const last = text?.split(',').at(-1)?.trim()
  return last === '' ? undefined : last
}
