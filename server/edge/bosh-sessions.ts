/**
 * BOSH over HTTP (XEP-0124 version 1.11.2, XEP-0206): from requests to sessions.
 *
 * This half reads requests, finds or makes the session, and keeps the one timer that all sessions share; what a session
 * does with its requests is in `bosh-connection.ts`.
 *
 * Where there are several members, a session id names the member that holds the session, and a request that reached another
 * one is put to it over the bus.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Timer } from '@rollcall/ports'
import { latin1ToBytes, scanDocument, XmlError } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'
import { BoshConnection } from './bosh-connection.ts'
import { httpReply, NS_BOSH, terminateBody } from './bosh-wire.ts'
import type { BoshReply } from './bosh-wire.ts'
import type { StreamService } from './connection.ts'
import { answer, answerText, RETRY_AFTER_SECONDS } from './http-routes.ts'
import type { HttpRequestFacts } from './http-routes.ts'
import type { Hub } from './hub.ts'

const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'POST, OPTIONS',
  'Access-Control-Allow-Headers': 'Content-Type',
  'Access-Control-Max-Age': '86400',
}
/** RFC-less habit of XEP-0124 §14: ids stay below 2^53 - 1, and so does what we count with. */
const RID = /^[1-9][0-9]{0,15}$/
const TICK_MS = 500
/** Beyond the longest that a request is held. */
const ANSWER_MARGIN_MS = 10_000

export class BoshSessions {
  readonly #hub: Hub
  readonly #service: StreamService
  readonly #sessions = new Map<string, BoshConnection>()
  #timer: Timer | undefined

  constructor(hub: Hub, service: StreamService) {
    this.#hub = hub
    this.#service = service
  }

  get size(): number {
    return this.#sessions.size
  }

  start(): void {
    this.#timer ??= this.#hub.ports.clock.every(TICK_MS, () => {
      const nowMs = this.#hub.ports.clock.monotonic()
      for (const session of this.#sessions.values()) session.onTick(nowMs)
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** One HTTP request to the BOSH path. */
  request(request: IncomingMessage, response: ServerResponse, facts: HttpRequestFacts): void {
    if (request.method === 'OPTIONS') {
      answer(response, 204, 'text/plain', '', CORS)
      return
    }
    if (request.method !== 'POST') {
      answerText(response, 405, 'BOSH is spoken with POST', { ...CORS, Allow: 'POST, OPTIONS' })
      return
    }
    this.#collect(request, response, (bytes) => this.#body(bytes, response, facts))
  }

  #collect(request: IncomingMessage, response: ServerResponse, done: (bytes: Buffer) => void): void {
    const { bodyBytesMax } = this.#hub.config.http
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= bodyBytesMax) {
        chunks.push(chunk)
        return
      }
      chunks.length = 0
      answerText(response, 413, 'Too large', { ...CORS, Connection: 'close' })
      request.destroy()
    })
    request.on('error', () => response.destroy())
    request.on('end', () => {
      if (length <= bodyBytesMax) done(Buffer.concat(chunks))
    })
  }

  /** A request for a session here that came to another member; resolves with the body to answer. */
  remote(sid: string, body: string): Promise<string> {
    return new Promise((resolve) => {
      const bytes = latin1ToBytes(body)
      // Who waits at the other member this one is not told; a client that gave up repeats its request (XEP-0124 §14).
      const reply = { send: resolve, onLost: () => {} }
      const read = this.#read(bytes)
      const session = this.#sessions.get(sid)
      if (read === undefined || session === undefined) reply.send(terminateBody(read === undefined ? 'bad-request' : 'item-not-found'))
      else session.onRequest(read.rid, read.frame, bytes.length, reply)
    })
  }

  #body(bytes: Buffer, response: ServerResponse, facts: HttpRequestFacts): void {
    const reply = httpReply(response)
    const read = this.#read(bytes)
    if (read === undefined) {
      reply.send(terminateBody('bad-request'))
      return
    }
    const { frame, rid } = read
    const sid = frame.attribute('sid')
    if (sid === undefined) {
      this.#create(frame, rid, bytes.length, response, facts)
      return
    }
    const session = this.#sessions.get(sid)
    if (session !== undefined) session.onRequest(rid, frame, bytes.length, reply)
    else void this.#ask(sid, bytes.toString('latin1'), reply)
  }

  /** Undefined for what is no request. */
  #read(bytes: Uint8Array): { readonly frame: Frame; readonly rid: number } | undefined {
    const { stanzaLimits, config } = this.#hub
    let frame: Frame
    try {
      const { depthMax, childrenMax } = stanzaLimits
      frame = scanDocument(bytes, { ...stanzaLimits, elementBytesMax: config.http.bodyBytesMax, depthMax: depthMax + 1, childrenMax: childrenMax + 100 })
    } catch (error) {
      if (!(error instanceof XmlError)) throw error
      return undefined
    }
    const rid = frame.attribute('rid') ?? ''
    if (frame.name !== 'body' || frame.ns !== NS_BOSH || !RID.test(rid) || Number(rid) > Number.MAX_SAFE_INTEGER) return undefined
    return { frame, rid: Number(rid) }
  }

  /** Puts the request to the member that holds the session. When that dies, its sessions are gone. */
  async #ask(sid: string, body: string, reply: BoshReply): Promise<void> {
    const { config, ports: { bus, carrier, log } } = this.#hub
    const holder = sid.slice(sid.indexOf('.') + 1)
    if (carrier?.others.includes(holder) !== true) {
      reply.send(terminateBody('item-not-found'))
      return
    }
    try {
      const timeoutMs = config.http.bosh.waitMaxSeconds * 1000 + ANSWER_MARGIN_MS
      reply.send(await bus.request(holder, { kind: 'bosh-request', sid, body }, timeoutMs) as string)
    } catch (error) {
      log.warn('bosh-request-failed', { holder, error })
      reply.send(terminateBody('item-not-found'))
    }
  }

  #create(frame: Frame, rid: number, byteLength: number, response: ServerResponse, facts: HttpRequestFacts): void {
    const { admission, guard, ports, config, metrics } = this.#hub
    if (admission.isRefusing) {
      metrics.accepted('overload')
      answerText(response, 503, 'Overloaded', { ...CORS, 'Retry-After': String(RETRY_AFTER_SECONDS) })
      return
    }
    const isFull = this.#sessions.size >= config.http.bosh.sessionsMax || this.#hub.isFull
    if (isFull || !guard.enter(facts.address, ports.clock.monotonic())) {
      metrics.accepted(isFull ? 'full' : 'address-limit')
      httpReply(response).send(terminateBody('policy-violation'))
      return
    }
    const sid = ports.carrier === undefined ? ports.random.id() : `${ports.random.id()}.${ports.bus.memberId}`
    const session = new BoshConnection(this.#hub, this.#service, facts, sid, rid, frame, () => this.#sessions.delete(sid))
    this.#sessions.set(sid, session)
    this.#hub.add(session)
    session.onRequest(rid, frame, byteLength, httpReply(response))
  }
}
