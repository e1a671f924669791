/**
 * All attempts of one stream: `<auth/>`, `<response/>` and `<abort/>` with their text as it stands in the XML, to what
 * goes into `<challenge/>`, `<success/>` and `<failure/>` (RFC 6120 §6.4).
 *
 * The edge keeps one per stream header and feeds it; nothing else of SASL is left to the edge.
 */
import type { Jid } from '@rollcall/jid'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { refusalOf, startSasl } from './mechanisms.ts'
import type { SaslContext, SaslExchange, SaslFailed } from './sasl.ts'

/** Failed attempts after which the stream is to be closed: RFC 6120 §6.4.5 wants between 2 and 5 retries. */
export const SASL_ATTEMPTS_MAX = 5

/** A step ready for the wire: `payload` is the element's text, ASCII that needs no escaping. */
export type SaslReply =
  | { readonly kind: 'challenge'; readonly payload: string }
  | { readonly kind: 'success'; readonly payload: string; readonly account: Jid; readonly isAnonymous: boolean }
  | SaslFailed

export interface SaslSession {
  /**
   * `<auth mechanism='…'>payload</auth>`. Starting while an attempt is under way ends both (`malformed-request`).
   * Never rejects. Answers undefined, which means "send nothing", when the attempt was ended while this step was under
   * way: whatever ended it has been answered.
   */
  auth(mechanism: string, payload: string): Promise<SaslReply | undefined>
  /** `<response>payload</response>`; answers as `auth` does. */
  response(payload: string): Promise<SaslReply | undefined>
  /** `<abort/>`; also to be called when the connection is lost. */
  abort(): SaslFailed
  /** After the last failure: whether to close the stream with `policy-violation` (RFC 6120 §6.4.5). */
  readonly isExhausted: boolean
}

/** A session over `context`; `attemptsMax` failures exhaust it. */
export function saslSession(context: SaslContext, attemptsMax: number = SASL_ATTEMPTS_MAX): SaslSession {
  return new Session(context, attemptsMax)
}

class Session implements SaslSession {
  readonly #context: SaslContext
  readonly #attemptsMax: number
  #exchange: SaslExchange | undefined
  #failureCount = 0

  constructor(context: SaslContext, attemptsMax: number) {
    this.#context = context
    this.#attemptsMax = attemptsMax
  }

  get isExhausted(): boolean {
    return this.#failureCount >= this.#attemptsMax
  }

  auth(mechanism: string, payload: string): Promise<SaslReply | undefined> {
    if (this.#exchange !== undefined) return Promise.resolve(this.#fail(outOfTurn('an attempt is under way')))
    this.#exchange = startSasl(mechanism, this.#context)
    if (this.#exchange !== undefined) return this.#feed(this.#exchange, payload, true)
    return Promise.resolve(this.#fail({ kind: 'failure', condition: refusalOf(mechanism, this.#context) }))
  }

  response(payload: string): Promise<SaslReply | undefined> {
    if (this.#exchange === undefined) return Promise.resolve(this.#fail(outOfTurn('no attempt is under way')))
    return this.#feed(this.#exchange, payload, false)
  }

  abort(): SaslFailed {
    return this.#fail({ kind: 'failure', condition: 'aborted' })
  }

  #fail(failure: SaslFailed): SaslFailed {
    this.#exchange?.abort()
    this.#exchange = undefined
    this.#failureCount++
    return failure
  }

  async #feed(running: SaslExchange, payload: string, isInitial: boolean): Promise<SaslReply | undefined> {
    const data = decodePayload(payload, isInitial)
    if (data === 'incorrect') return this.#fail({ kind: 'failure', condition: 'incorrect-encoding' })
    const step = await running.step(data)
    if (running !== this.#exchange) return undefined
    if (step.kind === 'failure') return this.#fail(step)
    if (step.kind === 'challenge') return { kind: 'challenge', payload: encodeBase64(step.data) }
    this.#exchange = undefined
    const { account, isAnonymous } = step
    return { kind: 'success', payload: step.data ? encodeBase64(step.data) : '', account, isAnonymous }
  }
}

/** RFC 6120 §6.4.2: no text means no initial response, a lone `=` an empty one; a response may be empty either way. */
function decodePayload(payload: string, isInitial: boolean): Uint8Array | undefined | 'incorrect' {
  if (payload === '') return isInitial ? undefined : new Uint8Array(0)
  if (payload === '=') return new Uint8Array(0)
  return decodeBase64(payload) ?? 'incorrect'
}

const outOfTurn = (text: string): SaslFailed => ({ kind: 'failure', condition: 'malformed-request', text })
