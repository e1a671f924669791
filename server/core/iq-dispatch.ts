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
import type { Log } from '@rollcall/ports'

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
  readonly #table = new Map<string, Registration>()

  constructor(log: Log) {
    this.#log = log
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
    const { stanza } = target
    const refuse = (error: unknown) => {
      const answer = errorReply(stanza, this.#asStanzaError(error, stanza))
      if (answer !== undefined) reply(answer)
    }
    try {
      const result = this.#call(scope, target)
      if (result instanceof Promise) result.then((payload) => reply(resultOf(stanza, payload)), refuse)
      else reply(resultOf(stanza, result))
    } catch (error) {
      refuse(error)
    }
  }

  #call(scope: IqScope, target: IqTarget): IqReply | Promise<IqReply> {
    // RFC 6120 §8.2.3: a request has exactly one child.
    if (target.stanza.children.length !== 1) throw new StanzaError('bad-request', 'An iq request has exactly one payload')
    const registration = this.#find(scope, target.stanza)
    if (registration === undefined) throw new StanzaError('service-unavailable')
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
