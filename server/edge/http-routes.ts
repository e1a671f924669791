/** Routes that the caller of the edge adds to its HTTP listeners, and what every response of ours carries. */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What is known of a request beyond Node's own. */
export interface HttpRequestFacts {
  /** Path without query, decoded by nobody. */
  readonly path: string
  readonly query: URLSearchParams
  /** The client's address, a trusted proxy's word for it included. */
  readonly address: string
  /** Whether a trusted proxy spoke for the client, so that the address was not counted at accept. */
  readonly isProxied: boolean
  /** HTTPS here or at a trusted proxy. */
  readonly isSecure: boolean
}

export interface HttpRoute {
  /** Upper case; undefined for all. */
  readonly method?: string
  /** Matches this path, or with a trailing slash everything below it. */
  readonly path: string
  /** Must end the response; a rejection becomes status 500. */
  handle(request: IncomingMessage, response: ServerResponse, facts: HttpRequestFacts): void | Promise<void>
}

/** Seconds after which a client that was sent away may try again. */
export const RETRY_AFTER_SECONDS = 30
/** The whole answer to a connection that cannot be served now. */
export const UNAVAILABLE = `HTTP/1.1 503 Service Unavailable\r\nRetry-After: ${RETRY_AFTER_SECONDS}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`

/** Whether the route takes the request. */
export function matches(route: HttpRoute, method: string, path: string): boolean {
  if (route.method !== undefined && route.method !== method && !(route.method === 'GET' && method === 'HEAD')) return false
  return route.path.endsWith('/') ? path.startsWith(route.path) : path === route.path
}

/** Ends the response with a short text. */
export function answerText(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> = {}): void {
  answer(response, status, 'text/plain; charset=utf-8', `${text}\n`, headers)
}

/** Ends the response with a body of the given type; does nothing when it has begun already. */
export function answer(
  response: ServerResponse, status: number, contentType: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': String(typeof body === 'string' ? Buffer.byteLength(body) : body.length),
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  })
  response.end(body)
}
