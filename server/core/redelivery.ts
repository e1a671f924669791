/**
 * What becomes of stanzas that a session did not acknowledge before it ended (XEP-0198 §4).
 *
 * Messages go on as if their resource had not been there when they came, with a stamp of when that was; requests are
 * answered as for a resource that is gone; everything else was for that session alone. Whether a client had received some
 * of it nobody can know: ids of messages tell those who see one twice.
 */
import { messageUnacked } from '@rollcall/module-api'
import { Delay, NS_DELAY } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Jid } from '@rollcall/jid'
import type { Log } from '@rollcall/ports'
import type { Delivery } from './delivery.ts'
import type { LocalSession } from './entities.ts'
import type { ClaimChain, HookChains } from './hook-chains.ts'
import type { HookEvent } from './hook-event.ts'
import type { DeliveredStanza, QueueEntry } from './unacked-queue.ts'

export interface RedeliveryPorts {
  readonly delivery: Delivery
  readonly hooks: HookChains
  readonly log: Log
}

export class Redelivery {
  readonly #ports: RedeliveryPorts
  readonly #unacked: ClaimChain<HookEvent<typeof messageUnacked>>
  /** What is on its way to storage. */
  readonly #open = new Set<Promise<void>>()

  constructor(ports: RedeliveryPorts) {
    this.#ports = ports
    this.#unacked = ports.hooks.claim(messageUnacked)
  }

  /** Takes the stanzas that a session left, oldest first; it has ended. */
  take(session: LocalSession, entries: readonly QueueEntry[]): void {
    for (const entry of entries) {
      if (typeof entry === 'string') continue
      const { stanza } = entry
      if (stanza.kind === 'message') this.#message(session, entry)
      // RFC 6121 §8.5.3.2.3
      else if (stanza.kind === 'iq') this.#ports.delivery.refuse(stanza, new StanzaError('service-unavailable'))
    }
  }

  /** Settles when nothing is on its way to storage. */
  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open)
  }

  #message(session: LocalSession, { original }: DeliveredStanza): void {
    const { stanza, at, recipients } = original
    // Another resource that got it, or a copy, is responsible, until it ends in turn; the last one's end decides.
    if (original.isHandedOn || recipients.some((other) => !other.isEnded)) return
    original.isHandedOn = true
    const { account } = session
    try {
      const claimed = this.#unacked.run({ account, session, stanza, at })
      if (claimed === true || original.isStored) return
      this.#watch(claimed === false ? this.#ports.delivery.redeliver(account, stamped(stanza, account.jid.domain, at)) : claimed, stanza)
    } catch (error) {
      this.#ports.log.error('redelivery-failed', { trace: stanza.trace, error })
    }
  }

  #watch(work: void | Promise<void>, stanza: Stanza): void {
    if (work === undefined) return
    const open = work
      .catch((error: unknown) => this.#ports.log.error('redelivery-failed', { trace: stanza.trace, error }))
      .finally(() => this.#open.delete(open))
    this.#open.add(open)
  }
}

/** XEP-0203: says since when the host had the message, unless it says so already. */
function stamped(message: Stanza, host: Jid, at: number): Stanza {
  const isStamped = message.children.some((child) =>
    child.name === 'delay' && child.ns === NS_DELAY && message.element(child).attribute('from') === host.toString())
  return isStamped ? message : message.withChild('delay', NS_DELAY, Delay.toWire({ from: host, stamp: at, reason: 'Not acknowledged' }))
}
