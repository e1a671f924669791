/**
 * Iq requests that the server answers itself (for a host, or on behalf of an account), by payload and scope.
 *
 * Returning is the result, throwing `StanzaError` the error, a codec's refusal `bad-request`, anything else
 * `internal-server-error` with a log entry, no handler `service-unavailable` (RFC 6120 §8.2.3, §8.4).
 */
import { CodecError } from '@rollcall/protocol'
import { errorReply, iqResult, Stanza, StanzaError } from '@rollcall/stanza'
import type { ElementCodec } from '@rollcall/stanza'
import type { IqHandler, IqReply, IqRequest, IqScopes } from '@rollcall/module-api'
import type { CounterMetric, Load, Log, Metrics } from '@rollcall/ports'

export type IqScope = keyof IqScopes<unknown>
type AnyIqHandler = (request: never) => IqReply | Promise<IqReply>

interface Registration {
  readonly codec: ElementCodec<unknown>
  readonly handle: AnyIqHandler
}

/** What the dispatcher adds to the decoded payload to make a handler's request. */
export type IqTarget = Omit<IqRequest<unknown>, 'payload'> & Partial<Omit<IqScopes<unknown>['self'], 'payload'>>

export class IqDispatch {
  readonly #log: Log
  readonly #load: Load
  readonly #refused: CounterMetric
  readonly #table = new Map<string, Registration>()
  readonly #costly = new Set<string>()

  constructor(log: Log, load: Load, metrics: Metrics) {
    this.#log = log
    this.#load = load
    this.#refused = metrics.counter('rollcall_costly_requests_refused_total', 'Requests refused because the member was overloaded.')
  }

  /** Requests with payloads in this namespace can wait while the member is overloaded. */
  addCostly(ns: string): void {
    this.#costly.add(ns)
  }

  /** Throws `resource-constraint` when a request with that payload has to wait. */
  checkCost(ns: string | undefined): void {
    if (ns === undefined || !this.#costly.has(ns) || this.#load.pressure() === 'normal') return
    this.#refused.add(1)
    throw new StanzaError('resource-constraint', 'The server is overloaded: try again in a minute')
  }

  register<T, S extends IqScope>(type: 'get' | 'set', codec: ElementCodec<T>, scope: S, handle: IqHandler<IqScopes<T>[S]>): void {
    const key = keyOf(type, scope, codec.ns, codec.name)
    if (this.#table.has(key)) throw new Error(`Two modules handle iq ${type} <${codec.name} xmlns='${codec.ns}'/> for ${scope}`)
    this.#table.set(key, { codec: codec, handle: handle })
  }

  /** Whether a request with this payload is handled in that scope. */
  handles(scope: IqScope, stanza: Stanza): boolean {
    return this.#find(scope, stanza) !== undefined
  }

  /** Answers a request; the reply (result or error) goes to `reply`, maybe later. Never throws. */
  answer(scope: IqScope, target: IqTarget, reply: (stanza: Stanza) => void): void {
    this.#answer(this.#find(scope, target.stanza), target, reply)
  }

  /** The same for a request of a client to its own account: what is not for the client alone is for everybody who asks the account. */
  answerOwn(target: IqTarget, reply: (stanza: Stanza) => void): void {
    const { stanza } = target
    this.#answer(this.#find('self', stanza) ?? this.#find('account', stanza), target, reply)
  }

  #answer(registration: Registration | undefined, target: IqTarget, reply: (stanza: Stanza) => void): void {
    const { stanza } = target
    const refuse = (error: unknown) => {
      const answer = errorReply(stanza, this.#asStanzaError(error, stanza))
      if (answer !== undefined) reply(answer)
    }
    try {
      const result = this.#call(registration, target)
      if (result instanceof Promise) result.then((payload) => reply(resultOf(stanza, payload)), refuse)
      else reply(resultOf(stanza, result))
    } catch (error) {
      refuse(error)
    }
  }

  #call(registration: Registration | undefined, target: IqTarget): IqReply | Promise<IqReply> {
    // RFC 6120 §8.2.3: a request has exactly one child.
    if (target.stanza.children.length !== 1) throw new StanzaError('bad-request', 'An iq request has exactly one payload')
    if (registration === undefined) throw new StanzaError('service-unavailable')
    this.checkCost(target.stanza.children[0]?.ns)
    const payload = target.stanza.decode(registration.codec)
    return registration.handle({ ...target, payload } as never)
  }

  #find(scope: IqScope, stanza: Stanza): Registration | undefined {
    const child = stanza.children[0]
    if (child === undefined) return undefined
    return this.#table.get(keyOf(stanza.type, scope, child.ns, child.name))
  }

  #asStanzaError(error: unknown, stanza: Stanza): StanzaError {
    if (error instanceof StanzaError) return error
    if (error instanceof CodecError) return new StanzaError('bad-request', error.message)
    this.#log.error('iq-handler-failed', { payload: stanza.children[0]?.ns, trace: stanza.trace, error })
    return new StanzaError('internal-server-error')
  }
}

/** The answer that a handler's reply stands for. */
export function resultOf(request: Stanza, reply: IqReply): Stanza {
  return reply instanceof Stanza ? reply : iqResult(request, reply ?? undefined)
}

function keyOf(type: string, scope: IqScope, ns: string, name: string): string {
  return `${type} ${scope} ${ns} ${name}`
}
