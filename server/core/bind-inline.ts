/**
 * What Bind 2 turns on while a resource is bound (XEP-0386 §3.2): who answers which request, and the answers.
 *
 * The session is held while any of it takes time, so that nothing reaches the client in a state that it did not ask for.
 */
import type { BindInlineHandler, BoundHandler } from '@rollcall/module-api'
import { CodecError } from '@rollcall/protocol'
import type { Log } from '@rollcall/ports'
import { StanzaError } from '@rollcall/stanza'
import type { ElementCodec } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import type { LocalSession } from './entities.ts'

interface Registration {
  readonly codec: ElementCodec<unknown>
  readonly handle: BindInlineHandler<never>
}

export class BindInline {
  readonly #log: Log
  readonly #features = new Set<string>()
  readonly #registrations = new Map<string, Registration>()
  readonly #results: BoundHandler[] = []

  constructor(log: Log) {
    this.#log = log
  }

  add<T>(codec: ElementCodec<T>, handle: BindInlineHandler<T>, feature: string = codec.ns): void {
    const key = `${codec.ns} ${codec.name}`
    if (this.#registrations.has(key)) throw new Error(`Two handlers for <${codec.name} xmlns='${codec.ns}'/> while binding`)
    this.#registrations.set(key, { codec, handle })
    this.#features.add(feature)
  }

  addResult(handler: BoundHandler): void {
    this.#results.push(handler)
  }

  /** Names for the list of the server, in text order. */
  get features(): readonly string[] {
    return [...this.#features].sort()
  }

  /** Does what was asked for, in the order of asking, and collects the contents of `<bound/>`; never rejects. */
  async answer(session: LocalSession, requests: readonly XmlElement[]): Promise<readonly XmlElement[]> {
    const hold = session.hold()
    try {
      const results: XmlElement[] = []
      for (const request of requests) await this.#collect(results, () => this.#handle(session, request))
      for (const handler of this.#results) await this.#collect(results, () => handler(session))
      return results
    } finally {
      hold.release()
    }
  }

  /** One request or contribution; a failure is logged, and the rest goes on. */
  async #collect(results: XmlElement[], work: () => ReturnType<BoundHandler>): Promise<void> {
    try {
      const result = await work()
      if (result !== undefined) results.push(result)
    } catch (error) {
      const isRefusal = error instanceof StanzaError || error instanceof CodecError
      this.#log[isRefusal ? 'info' : 'error']('bind-inline-failed', { error })
    }
  }

  #handle(session: LocalSession, request: XmlElement): ReturnType<BoundHandler> {
    const registration = this.#registrations.get(`${request.ns} ${request.name}`)
    if (registration !== undefined) return registration.handle(session, registration.codec.decode(request) as never)
  }
}
