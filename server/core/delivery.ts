/**
 * Stanzas for accounts: RFC 6121 §8.5, table by table.
 *
 * The caller has found that the account's shard is here. Cold accounts are warmed only when the stanza can matter to an
 * account without sessions; whatever needs a session is decided at once from the fact that there is none.
 */
import { buildStanza, errorReply, messageType, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Jid } from '@rollcall/jid'
import { inbound, inboundPresence, messageAccepted, messageAcked, messageDelivered, messageUndelivered } from '@rollcall/module-api'
import type { DeliveredMessage, Session } from '@rollcall/module-api'
import type { Clock, CounterMetric, Log, Metrics } from '@rollcall/ports'
import type { AccountRegistry } from './account-registry.ts'
import type { ClaimChain, FilterChain, HookChains, ObserveChain } from './hook-chains.ts'
import { DurableWork, isFirstFailure, outcomeOf } from './durable-work.ts'
import type { HookEvent } from './hook-event.ts'
import type { IqDispatch } from './iq-dispatch.ts'
import type { PendingRequests } from './iq-client.ts'
import type { LocalAccount, LocalSession } from './entities.ts'
import { DeliveredStanza } from './unacked-queue.ts'

export interface DeliveryPorts {
  readonly registry: AccountRegistry
  readonly hooks: HookChains
  readonly iqs: IqDispatch
  readonly requests: PendingRequests
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Sends a reply on its way. */
  readonly reply: (stanza: Stanza) => void
}

export class Delivery {
  readonly #ports: DeliveryPorts
  readonly #inbound: FilterChain<HookEvent<typeof inbound>>
  readonly #presence: ClaimChain<HookEvent<typeof inboundPresence>>
  readonly #accepted: FilterChain<HookEvent<typeof messageAccepted>>
  readonly #delivered: ObserveChain<HookEvent<typeof messageDelivered>>
  readonly #undelivered: ClaimChain<HookEvent<typeof messageUndelivered>>
  readonly #acked: ObserveChain<HookEvent<typeof messageAcked>>
  readonly #messagesDelivered: CounterMetric
  readonly #errors: CounterMetric

  constructor(ports: DeliveryPorts) {
    this.#ports = ports
    this.#inbound = ports.hooks.filter(inbound)
    this.#presence = ports.hooks.claim(inboundPresence)
    this.#accepted = ports.hooks.filter(messageAccepted)
    this.#delivered = ports.hooks.observe(messageDelivered)
    this.#undelivered = ports.hooks.claim(messageUndelivered)
    this.#acked = ports.hooks.observe(messageAcked)
    this.#messagesDelivered = ports.metrics.counter('rollcall_deliveries_total', 'Stanzas given to sessions.', { kind: 'message' })
    this.#errors = ports.metrics.counter('rollcall_stanza_errors_total', 'Stanzas answered with an error.')
  }

  /** Delivers a stanza whose `to` is an account (bare or full JID) of a shard that is here. */
  deliver(stanza: Stanza): void | Promise<void> {
    const to = stanza.to as Jid
    // Decided before the account is looked up, so that the answer tells nothing about it.
    if (this.#isForbidden(stanza)) return this.refuse(stanza, new StanzaError('forbidden'))
    const account = this.#ports.registry.warm(to.bare)
    if (account !== undefined) return this.#toAccount(account, stanza)
    if (!concernsColdAccount(stanza)) return this.#withoutSession(stanza)
    return new Promise((resolve) => {
      this.#ports.registry.use(to.bare, (loaded, failure) => {
        if (failure !== undefined) this.refuse(stanza, failure)
        else if (loaded === undefined) this.#noSuchAccount(stanza)
        else return resolve(this.#toAccount(loaded, stanza) ?? undefined)
        resolve()
      })
    })
  }

  /** Delivers a message that was accepted once already: the sessions that had it are gone. */
  redeliver(account: LocalAccount, stanza: Stanza): void | Promise<void> {
    try {
      return this.#message(account, stanza, true)
    } catch (error) {
      this.#failed(stanza, error)
    }
  }

  /** Answers a stanza with an error, where one is due. */
  refuse(stanza: Stanza, error: StanzaError): void {
    // RFC 6121 §8.5.1 and §3: presence is refused only where its own rules say so, never for want of a recipient.
    const reply = stanza.kind === 'presence' && error.condition === 'service-unavailable' ? undefined : errorReply(stanza, error)
    if (reply === undefined || reply.to === undefined) return
    this.#errors.add(1)
    this.#ports.reply(reply)
  }

  #toAccount(account: LocalAccount, stanza: Stanza): void | Promise<void> {
    try {
      const passed = this.#inbound.isEmpty ? stanza : this.#inbound.run({ account, stanza })
      if (passed === undefined) return
      if (passed.kind === 'message') return this.#message(account, passed, false)
      if (passed.kind === 'iq') return this.#iq(account, passed)
      return this.#presenceStanza(account, passed)
    } catch (error) {
      this.#failed(stanza, error)
    }
  }

  /** A request that only the account's own resources may make (its own do not come this way). */
  #isForbidden(stanza: Stanza): boolean {
    if (stanza.kind !== 'iq' || (stanza.to as Jid).isFull) return false
    const { iqs } = this.#ports
    return iqs.handles('self', stanza) && !iqs.handles('account', stanza)
  }

  #outcome(stanza: Stanza, work: Promise<void>): Promise<void> {
    return outcomeOf(work, (error) => { if (isFirstFailure(stanza)) this.#failed(stanza, error) })
  }

  #failed(stanza: Stanza, error: unknown): void {
    if (error instanceof StanzaError) return this.refuse(stanza, error)
    this.#ports.log.error('delivery-failed', { trace: stanza.trace, error })
    this.refuse(stanza, new StanzaError('internal-server-error'))
  }

  // RFC 6121 §8.5.2.1.1 (bare JID), §8.5.3.1 (matching full JID), §8.5.3.2.1 (no matching resource)
  #message(account: LocalAccount, stanza: Stanza, isAgain: boolean): void | Promise<void> {
    const to = stanza.to as Jid
    const type = messageType(stanza)
    if (to.isFull) {
      const session = account.sessions.get(to.resourcepart)
      if (session !== undefined) return this.#toSessions(account, stanza, [session], isAgain)
      if (type !== 'chat') return this.#noResource(stanza, type)
    } else if (type === 'groupchat') {
      throw new StanzaError('service-unavailable')
    } else if (type === 'error') {
      return
    }
    const recipients = type === 'headline' ? nonNegative(account) : mostAvailable(account)
    if (recipients.length > 0) return this.#toSessions(account, stanza, recipients, isAgain)
    if (type === 'headline') return
    return this.#toNobody(account, stanza, isAgain)
  }

  #toSessions(account: LocalAccount, stanza: Stanza, recipients: readonly LocalSession[], isAgain: boolean): void | Promise<void> {
    if (isAgain || this.#accepted.isEmpty) return this.#hand(account, stanza, recipients)
    const work = new DurableWork()
    const kept = this.#accepted.run({ account, stanza, recipients, waitFor: work.waitFor })
    if (kept === undefined) return
    this.#hand(account, kept, recipients)
    return work.promise && this.#outcome(stanza, work.promise)
  }

  #hand(account: LocalAccount, stanza: Stanza, recipients: readonly LocalSession[]): void {
    const record = this.#give(stanza, recipients)
    this.#messagesDelivered.add(recipients.length)
    if (this.#ports.log.isDebug) this.#ports.log.debug('message-delivered', { trace: stanza.trace, copies: recipients.length })
    if (!this.#delivered.isEmpty) this.#delivered.run(new Handed(account, stanza, recipients, () => record))
  }

  /** Returns the record that sessions keep of it, if any does. */
  #give(stanza: Stanza, recipients: readonly LocalSession[]): DeliveredStanza | undefined {
    const wire = stanza.toWire()
    // One record for all sessions that must remember what they were sent; the others need none.
    let delivered: DeliveredStanza | undefined
    for (const session of recipients) {
      if (session.isDirect) {
        session.sendWire(wire)
        if (!this.#acked.isEmpty && stanza.kind === 'message') this.#acked.run({ session, stanza })
      } else {
        session.sendEntry(delivered ??= new DeliveredStanza(stanza, wire, this.#ports.clock.now(), recipients))
      }
    }
    return delivered
  }

  #toNobody(account: LocalAccount, stanza: Stanza, isAgain: boolean): void | Promise<void> {
    const work = new DurableWork()
    const kept = isAgain ? stanza : this.#accepted.run({ account, stanza, recipients: [], waitFor: work.waitFor })
    if (kept === undefined) return
    const claimed = this.#undelivered.run({ account, stanza: kept })
    if (claimed === false) throw new StanzaError('service-unavailable')
    if (!this.#delivered.isEmpty) this.#delivered.run(this.#stored(account, kept))
    if (claimed !== true) work.waitFor(claimed)
    return work.promise && this.#outcome(stanza, work.promise)
  }

  /** A message that waits in a store: who is given a copy before being available will not need it then. */
  #stored(account: LocalAccount, stanza: Stanza): Handed {
    let record: DeliveredStanza | undefined
    return new Handed(account, stanza, [], (holder) => {
      if (holder.presence !== undefined) return undefined
      return record ??= new DeliveredStanza(stanza, stanza.toWire(), this.#ports.clock.now(), [], undefined, true)
    })
  }

  #iq(account: LocalAccount, stanza: Stanza): void {
    const to = stanza.to as Jid
    const isRequest = stanza.type === 'get' || stanza.type === 'set'
    if (to.isFull) {
      const session = account.sessions.get(to.resourcepart)
      if (session !== undefined) this.#give(stanza, [session])
      else if (isRequest) throw new StanzaError('service-unavailable')
      return
    }
    if (!isRequest) {
      this.#ports.requests.settle(stanza)
      return
    }
    const from = stanza.from as Jid
    this.#ports.iqs.answer('account', { stanza, from, to, account, session: undefined }, this.#ports.reply)
  }

  #presenceStanza(account: LocalAccount, stanza: Stanza): void | Promise<void> {
    const claimed = this.#presence.run({ account, stanza })
    if (claimed instanceof Promise) return claimed.catch((error: unknown) => this.#failed(stanza, error))
  }

  /** A cold account has no session, so every rule that needs one is already decided. */
  #withoutSession(stanza: Stanza): void {
    const type = stanza.kind === 'message' ? messageType(stanza) : 'iq'
    if (stanza.kind !== 'presence') this.#noResource(stanza, type)
  }

  #noResource(stanza: Stanza, type: string): void {
    const isAnswer = stanza.kind === 'iq' && stanza.type !== 'get' && stanza.type !== 'set'
    if (type === 'headline' || type === 'error' || isAnswer) return
    this.refuse(stanza, new StanzaError('service-unavailable'))
  }

  /** RFC 6121 §8.5.1. The same answer as for an account without sessions or offline storage: nothing is told apart. */
  #noSuchAccount(stanza: Stanza): void {
    if (stanza.kind === 'message') this.#noResource(stanza, messageType(stanza))
    else if (stanza.kind === 'iq') this.#noResource(stanza, 'iq')
    else if (stanza.type === 'probe' && stanza.from !== undefined) {
      // RFC 6121 §4.3.2: what a stranger gets from an account that exists.
      const from = (stanza.to as Jid).bare
      this.#ports.reply(buildStanza('presence', { from, to: stanza.from.bare, type: 'unsubscribed', id: stanza.id }))
    }
  }
}

/** A message that was handed to sessions, as modules learn of it. */
class Handed implements DeliveredMessage {
  readonly account: LocalAccount
  readonly stanza: Stanza
  readonly recipients: readonly LocalSession[]
  readonly holders: LocalSession[] = []
  readonly #recordFor: (holder: LocalSession) => DeliveredStanza | undefined

  /** `recordFor` gives the record that a session is to keep; none when it need not. */
  constructor(
    account: LocalAccount, stanza: Stanza, recipients: readonly LocalSession[], recordFor: (holder: LocalSession) => DeliveredStanza | undefined,
  ) {
    this.account = account
    this.stanza = stanza
    this.recipients = recipients
    this.#recordFor = recordFor
  }

  copyTo(session: Session, wire: string): void {
    const holder = session as LocalSession
    // Without a record the message is with somebody already, or in a store.
    const record = this.#recordFor(holder)
    if (record !== undefined) this.holders.push(holder)
    holder.sendEntry(record === undefined ? wire : record.copyFor(holder, wire))
  }
}

/** Whether a stanza may have an effect on an account that has no session. */
function concernsColdAccount(stanza: Stanza): boolean {
  const { kind, type } = stanza
  const isFull = (stanza.to as Jid).isFull
  if (kind === 'presence') return type !== '' && type !== 'unavailable' && type !== 'error'
  if (kind === 'iq') return !isFull
  const message = messageType(stanza)
  return message === 'chat' || (message === 'normal' && !isFull)
}

function nonNegative(account: LocalAccount): LocalSession[] {
  const sessions: LocalSession[] = []
  for (const session of account.sessions.values()) if (session.presence !== undefined && session.priority >= 0) sessions.push(session)
  return sessions
}

/** The available resources that share the highest non-negative priority (RFC 6121 §8.5.2.1.1). */
function mostAvailable(account: LocalAccount): LocalSession[] {
  let best: LocalSession[] = []
  let priority = 0
  for (const session of account.sessions.values()) {
    if (session.presence === undefined || session.priority < priority) continue
    if (session.priority > priority) best = []
    priority = session.priority
    best.push(session)
  }
  return best
}
