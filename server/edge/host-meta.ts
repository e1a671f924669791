/** host-meta in XML and JSON (XEP-0156 §3): where WebSocket and BOSH are, for clients in browsers. */
import type { IncomingMessage } from 'node:http'
import { answer } from './http-routes.ts'
import type { HttpRequestFacts, HttpRoute } from './http-routes.ts'
import type { Hub } from './hub.ts'

const HOST = /^[A-Za-z0-9.[\]:-]{1,255}$/
/** Browsers of any origin may look (XEP-0156 §3 wants it fetched by web clients). */
const HEADERS = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=300' }

interface Link {
  readonly rel: string
  readonly href: string
}

/** The two routes. */
export function hostMeta(hub: Hub): HttpRoute[] {
  return [
    {
      method: 'GET',
      path: '/.well-known/host-meta',
      handle: (request, response, facts) => {
        const links = linksFor(hub, request, facts).map(({ rel, href }) => `  <Link rel='${rel}' href='${href}'/>\n`).join('')
        const xml = `<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n${links}</XRD>\n`
        answer(response, 200, 'application/xrd+xml; charset=utf-8', xml, HEADERS)
      },
    },
    {
      method: 'GET',
      path: '/.well-known/host-meta.json',
      handle: (request, response, facts) => {
        answer(response, 200, 'application/json; charset=utf-8', JSON.stringify({ links: linksFor(hub, request, facts) }), HEADERS)
      },
    },
  ]
}

function linksFor({ config }: Hub, request: IncomingMessage, { isSecure }: HttpRequestFacts): Link[] {
  const { publicUrl, websocket, bosh } = config.http
  // A Host header is the client's word: it goes out again only if it is nothing but a host.
  const named = request.headers.host ?? ''
  const own = HOST.test(named) ? `${isSecure ? 'https' : 'http'}://${named}` : `https://${config.hosts[0] ?? 'localhost'}`
  const base = URL.parse(publicUrl === '' ? own : publicUrl)?.origin ?? own
  return [
    { rel: 'urn:xmpp:alt-connections:xbosh', href: `${base}${bosh.path}` },
    { rel: 'urn:xmpp:alt-connections:websocket', href: `${base.replace(/^http/, 'ws')}${websocket.path}` },
  ]
}
