/**
 * The web chat: our page around Converse.js, which comes from its npm package and is served as it is.
 *
 * The page talks to the WebSocket of the server that served it, so nothing needs to be configured. `chat.json` tells it
 * the host and, while the demo is on, the demo accounts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import sirv from 'sirv'

export interface DemoAccount {
  readonly localpart: string
  readonly password: string
}

export interface ChatSettings {
  readonly host: string
  readonly websocketPath: string
  readonly isRegistrationOpen: boolean
  readonly demo?: { readonly accounts: readonly DemoAccount[]; readonly howToTurnOff: string }
}

/** A route as the edge's HTTP listeners take it. */
interface Route {
  readonly method: string
  readonly path: string
  handle(request: IncomingMessage, response: ServerResponse): void
}

const CONVERSE = '/converse/'
// Converse.js styles elements inline and shows pictures that people link to, from anywhere.
const POLICY = [
  "default-src 'self'", "connect-src 'self' ws: wss: https:", "img-src 'self' data: blob: https:", "media-src 'self' blob: https:",
  "style-src 'self' 'unsafe-inline'", "font-src 'self' data:", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'",
].join('; ')

/** Serves the page and its files below `/` and Converse.js below `/converse/`; `/` takes every path, so it comes last. */
export function chatRoutes(settings: () => ChatSettings): readonly Route[] {
  const page = sirv(fileURLToPath(new URL('public', import.meta.url)), { etag: true, setHeaders })
  const converse = sirv(converseFolder(), { etag: true, maxAge: 3600 })
  return [
    { method: 'GET', path: '/chat.json', handle: (_request, response) => sendJson(response, settings()) },
    {
      method: 'GET',
      path: CONVERSE,
      handle(request, response) {
        request.url = (request.url ?? '').slice(CONVERSE.length - 1)
        converse(request, response, () => sendMissing(response))
      },
    },
    { method: 'GET', path: '/', handle: (request, response) => page(request, response, () => sendMissing(response)) },
  ]
}

function converseFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('converse.js/dist/converse.min.js'))
}

function setHeaders(response: ServerResponse): void {
  response.setHeader('Content-Security-Policy', POLICY)
  response.setHeader('Referrer-Policy', 'no-referrer')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('Cache-Control', 'no-cache')
}

function sendMissing(response: ServerResponse): void {
  response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.end('There is no such file\n')
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
  response.end(JSON.stringify(body))
}
