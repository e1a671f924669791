/**
 * Stanzas from connected clients (RFC 6120 §10.3, RFC 6121 §8.1 to §8.3): filters first, then what the server does on the
 * client's behalf, then routing.
 *
 * `receive` returns a promise exactly when something durable is under way; whoever acknowledges stanzas to the client
 * waits for it.
 */
import { errorReply, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { messageSent, messageSubmitted, outbound, outboundPresence } from '@rollcall/module-api'
import type { Log, Metrics, CounterMetric } from '@rollcall/ports'
import type { ClaimChain, FilterChain, HookChains, ObserveChain } from './hook-chains.ts'
import { bothOf, DurableWork, isFirstFailure, outcomeOf } from './durable-work.ts'
import type { HookEvent } from './hook-event.ts'
import type { IqDispatch } from './iq-dispatch.ts'
import type { PendingRequests } from './iq-client.ts'
import type { LocalSession } from './entities.ts'
import type { Repeats } from './repeats.ts'

export interface ClientInboxPorts {
  readonly hooks: HookChains
  readonly iqs: IqDispatch
  readonly requests: PendingRequests
  readonly log: Log
  readonly metrics: Metrics
  readonly route: (stanza: Stanza) => void | Promise<void>
  readonly repeats: Repeats
}

export class ClientInbox {
  readonly #ports: ClientInboxPorts
  readonly #outbound: FilterChain<HookEvent<typeof outbound>>
  readonly #presence: ClaimChain<HookEvent<typeof outboundPresence>>
  readonly #submitted: FilterChain<HookEvent<typeof messageSubmitted>>
  readonly #sent: ObserveChain<HookEvent<typeof messageSent>>
  readonly #received: Record<Stanza['kind'], CounterMetric>

  constructor(ports: ClientInboxPorts) {
    this.#ports = ports
    this.#outbound = ports.hooks.filter(outbound)
    this.#presence = ports.hooks.claim(outboundPresence)
    this.#submitted = ports.hooks.filter(messageSubmitted)
    this.#sent = ports.hooks.observe(messageSent)
    const counter = (kind: string) =>
      ports.metrics.counter('rollcall_client_stanzas_total', 'Stanzas received from clients, by kind.', { kind })
    this.#received = { message: counter('message'), presence: counter('presence'), iq: counter('iq') }
  }

  receive(session: LocalSession, stanza: Stanza): void | Promise<void> {
    this.#received[stanza.kind].add(1)
    try {
      const passed = this.#outbound.isEmpty ? stanza : this.#outbound.run({ session, stanza })
      if (passed === undefined) return
      if (passed.kind === 'message') return this.#message(session, passed)
      if (passed.kind === 'presence') return this.#presenceStanza(session, passed)
      return this.#iq(session, passed)
    } catch (error) {
      this.#refuse(session, stanza, error)
    }
  }

  #message(session: LocalSession, stanza: Stanza): void | Promise<void> {
    // RFC 6120 §10.3.1: without an address it is for the sender's own account.
    const addressed = stanza.to === undefined ? stanza.addressed(stanza.from, session.account.jid) : stanza
    return addressed.isAgain ? this.#submitAgain(session, addressed) : this.#submit(session, addressed)
  }

  /** A member that died may have kept the sender's copy, and shown it to the sender's other resources. */
  async #submitAgain(session: LocalSession, addressed: Stanza): Promise<void> {
    if (await this.#ports.repeats.isKept(session.account.jid, addressed.stamp)) await this.#ports.route(addressed)
    else await this.#submit(session, addressed)
  }

  #submit(session: LocalSession, stanza: Stanza): void | Promise<void> {
    if (this.#submitted.isEmpty) {
      if (!this.#sent.isEmpty) this.#sent.run({ session, stanza })
      return this.#ports.route(stanza)
    }
    const work = new DurableWork()
    const kept = this.#submitted.run({ session, stanza, waitFor: work.waitFor })
    if (kept === undefined) return
    if (!this.#sent.isEmpty) this.#sent.run({ session, stanza: kept })
    const routed = this.#ports.route(stanza)
    const own = work.promise && outcomeOf(work.promise, (error) => { if (isFirstFailure(stanza)) this.#refuse(session, stanza, error) })
    if (own === undefined) return routed
    if (routed === undefined) return own
    return bothOf(own, routed)
  }

  #presenceStanza(session: LocalSession, stanza: Stanza): void | Promise<void> {
    const claimed = this.#presence.run({ session, stanza })
    if (claimed instanceof Promise) return claimed.catch((error: unknown) => this.#refuse(session, stanza, error))
    if (!claimed && stanza.to !== undefined) return this.#ports.route(stanza)
  }

  // RFC 6120 §10.3.3: without `to`, or to the own bare JID, the server answers for the account.
  #iq(session: LocalSession, stanza: Stanza): void | Promise<void> {
    const own = session.account.jid
    const to = stanza.to ?? own
    if (!to.isBare || !to.equals(own)) return this.#ports.route(stanza)
    if (stanza.type !== 'get' && stanza.type !== 'set') {
      this.#ports.requests.settle(stanza)
      return
    }
    const target = { stanza, from: session.jid, to, account: session.account, session }
    // A reply's `from` is what the client addressed: nothing, when it named nobody.
    this.#ports.iqs.answerOwn(target, (reply) => session.send(stanza.to === undefined ? reply.addressed(undefined, reply.to) : reply))
  }

  #refuse(session: LocalSession, stanza: Stanza, error: unknown): void {
    if (!(error instanceof StanzaError)) this.#ports.log.error('client-stanza-failed', { trace: stanza.trace, error })
    const refusal = error instanceof StanzaError ? error : new StanzaError('internal-server-error')
    const reply = errorReply(stanza, refusal)
    if (reply !== undefined) session.send(reply)
  }
}
