/**
 * `/healthz`, `/readyz` and `/metrics`: plain functions from a request to a response, and the listener that serves them.
 *
 * The listener is apart from the clients' one, because metrics are nobody else's business and because it must answer
 * while the others are full.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errorTable, RollcallError } from '../config/index.ts'
import type { ErrorCode } from '../config/index.ts'
import { errorBody } from './control-server.ts'
import { toFailure } from './failure.ts'

export interface HealthPorts {
  /** Why the server should get no new clients ("storage is closed", "draining"); empty when it is ready. */
  readonly unreadyReasons: () => readonly string[]
  readonly metrics: { text(): Promise<string>; readonly contentType: string }
}

export interface HealthResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

type Handler = (ports: HealthPorts) => HealthResponse | Promise<HealthResponse>

const JSON_TYPE = 'application/json'

/** The process answers: an orchestrator that gets no answer restarts it. */
export function healthz(): HealthResponse {
  return { status: 200, contentType: JSON_TYPE, body: JSON.stringify({ status: 'ok' }) }
}

/** 200 when clients may be sent here, else 503 with the reasons. */
export function readyz({ unreadyReasons }: HealthPorts): HealthResponse {
  const reasons = unreadyReasons()
  if (reasons.length === 0) return { status: 200, contentType: JSON_TYPE, body: JSON.stringify({ status: 'ready' }) }
  return errorResponse('not-ready', reasons.join('; '))
}

/** The Prometheus text format. */
export async function metrics({ metrics }: HealthPorts): Promise<HealthResponse> {
  return { status: 200, contentType: metrics.contentType, body: await metrics.text() }
}

const handlers: Readonly<Record<string, Handler>> = { '/healthz': healthz, '/readyz': readyz, '/metrics': metrics }

/** Paths that `handleHealth` answers. */
export const healthPaths = Object.keys(handlers)

/** The response to a request; errors have the form and codes of the control socket's. */
export async function handleHealth(ports: HealthPorts, method: string, path: string): Promise<HealthResponse> {
  const handler = Object.hasOwn(handlers, path) ? handlers[path] : undefined
  if (handler === undefined) return errorResponse('not-found', `there is no ${path}; paths are ${healthPaths.join(', ')}`)
  if (method !== 'GET' && method !== 'HEAD') return errorResponse('method-not-allowed', `use GET ${path}`)
  return handler(ports)
}

function errorResponse(code: ErrorCode, message: string): HealthResponse {
  return { status: errorTable[code].status, contentType: JSON_TYPE, body: JSON.stringify(errorBody(new RollcallError(code, message))) }
}

export interface AdminListener {
  readonly address: string
  readonly port: number
  /** Accepts no more and ends what is open. */
  close(): Promise<void>
}

const CONNECTIONS_MAX = 256
const TIMEOUT_MS = 10_000

/** Listens; rejects with `cannot-listen`. */
export async function openAdminListener(address: string, port: number, ports: HealthPorts): Promise<AdminListener> {
  const server = createServer({ headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS }, (request, response) => void respond(ports, request, response))
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(new RollcallError('cannot-listen', `the admin listener cannot use ${address} port ${port}: ${error.message}; change admin.port or admin.address`))
    })
    server.listen({ host: address, port }, resolve)
  })
  const bound = server.address() as AddressInfo
  return {
    address: bound.address,
    port: bound.port,
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

async function respond(ports: HealthPorts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = '/'] = (request.url ?? '/').split('?')
  const answer = await handleHealth(ports, request.method ?? 'GET', path).catch((error: unknown) => errorResponse('internal', toFailure(error).message))
  response.writeHead(answer.status, {
    'Content-Type': answer.contentType, 'Content-Length': Buffer.byteLength(answer.body), 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff',
  })
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}
