/**
 * One presence for many accounts of this member: the hottest loop of the server.
 *
 * How it works: the stanza's text before and after the address is made once. Where each target is, is known from the
 * broadcast before (`whereabouts.ts`), or one look-up finds the account if somebody of it is here; each available session is
 * put on the list of its edge, which puts one string together for it from three shared parts. Nothing else is allocated, no
 * stanza is copied, and accounts without sessions cost only the look-up.
 */
import type { Accounts, Account, Admission, InboundStanza, PresenceEnvelope, PresenceEnvelopes, Router } from '@rollcall/module-api'
import type { CounterMetric } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import { errorReply, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Roster } from '../roster/port.ts'
import type { AbsentContacts } from './absent-contacts.ts'
import type { DirectedPresence } from './directed.ts'
import { headOf, tailOf } from './presence-wire.ts'
import type { ShardLaw } from './shard-law.ts'
import { Whereabouts } from './whereabouts.ts'
import type { Receiver, Route } from './whereabouts.ts'

export interface FanOutPorts {
  readonly accounts: Accounts
  readonly roster: Roster
  readonly router: Router
  readonly envelopes: PresenceEnvelopes
  readonly directed: DirectedPresence
  readonly absent: AbsentContacts
  readonly deliveries: CounterMetric
  readonly law: ShardLaw
  /** Told of every stanza and how many sessions got it. */
  readonly delivered: (count: number) => void
}

export class FanOut {
  readonly #ports: FanOutPorts
  readonly #whereabouts: Whereabouts

  constructor(ports: FanOutPorts) {
    this.#ports = ports
    this.#whereabouts = new Whereabouts(ports)
  }

  /**
   * Delivers available or unavailable presence. Each target's own roster is asked too: a contact that has unsubscribed is
   * left alone although the sender's roster does not know it yet. Unavailable presence always passes: it may be the end
   * of directed presence.
   */
  deliver(stanza: Stanza, targets: readonly Jid[], admission?: Admission): void {
    const from = stanza.from as Jid
    const isUnavailable = stanza.type === 'unavailable'
    const { accounts, roster } = this.#ports
    // One who is told ahead of the others would be no beginning of a route.
    let route = targets.length === 1 ? undefined : this.#whereabouts.routeOf(from.bare)
    const head = headOf(stanza)
    const tail = tailOf(stanza)
    const envelope = this.#ports.envelopes.open(from, head, tail)
    let count = 0
    for (const target of targets) {
      if (route !== undefined && !route.goTo(target)) route = this.#leave(from)
      const account = route === undefined ? accounts.warm(target) : route.account
      if (account === undefined) continue
      const receiver = this.#receiverOf(route, account, stanza, target, admission)
      if (receiver === 'nobody') continue
      if (!isUnavailable && target.isBare && !(route === undefined ? roster.isWatched(account, from) : route.isWatched)) continue
      if (receiver !== 'several') {
        if (this.#ports.absent.size > 0) this.#ports.absent.told(receiver, from)
        envelope.givePlain(receiver, target)
        count++
        continue
      }
      if (admission?.concerns(account, stanza) === true && !this.#isAdmitted(account, stanza, target, admission)) continue
      count += target.isFull
        ? this.#toResource(account, stanza, target, head + target.wire + tail)
        : this.#share(account, from, target, isUnavailable, envelope)
    }
    envelope.close()
    this.#ports.deliveries.add(count)
    this.#ports.law.delivered(from, count)
    this.#ports.delivered(count)
  }

  #leave(from: Jid): Route | undefined {
    this.#whereabouts.forget(from.bare)
    return undefined
  }

  /** Who of the account gets it: along a route what was found out before. */
  #receiverOf(route: Route | undefined, account: Account, stanza: Stanza, target: Jid, admission: Admission | undefined): Receiver {
    if (route === undefined || target.isFull) return account.sessions.size === 0 ? 'nobody' : 'several'
    return (route.receiver ??= this.#findReceiver(account, stanza, admission))
  }

  #findReceiver(account: Account, stanza: Stanza, admission: Admission | undefined): Receiver {
    if (account.sessions.size === 0) return 'nobody'
    if (admission?.concerns(account, stanza) === true) return 'several'
    let receiver: Receiver = 'nobody'
    for (const session of account.sessions.values()) {
      // Of whom it told directly it forgets those who go.
      if (this.#ports.directed.isUsed(session)) return 'several'
      if (session.presence === undefined) continue
      if (receiver !== 'nobody' || !session.isPlain) return 'several'
      receiver = session
    }
    return receiver
  }

  #share(account: Account, from: Jid, target: Jid, isUnavailable: boolean, envelope: PresenceEnvelope): number {
    const { absent, directed } = this.#ports
    let count = 0
    for (const session of account.sessions.values()) {
      if (isUnavailable) directed.remove(session, from)
      if (session.presence === undefined) continue
      if (absent.size > 0) absent.told(session, from)
      envelope.give(session, target)
      count++
    }
    return count
  }

  /** Delivers one presence by the rules for its address (RFC 6121 §8.5.2.1.2, §8.5.3.1). */
  deliverOne({ account, stanza }: InboundStanza): void {
    const to = stanza.to as Jid
    const wire = stanza.toWire()
    const count = to.isFull ? this.#toResource(account, stanza, to, wire) : this.#toAvailable(account, stanza, stanza.from as Jid, wire)
    this.#ports.deliveries.add(count)
  }

  #toAvailable(account: Account, stanza: Stanza, from: Jid, wire: string): number {
    let count = 0
    const isUnavailable = stanza.type === 'unavailable'
    const isState = isUnavailable || stanza.type === ''
    for (const session of account.sessions.values()) {
      if (isUnavailable) this.#ports.directed.remove(session, from)
      if (session.presence === undefined) continue
      if (isState) session.sendPresence(wire, from)
      else session.sendWire(wire)
      count++
    }
    return count
  }

  #toResource(account: Account, stanza: Stanza, to: Jid, wire: string): number {
    const session = account.sessions.get(to.resourcepart)
    if (session === undefined) return 0
    if (stanza.type === 'unavailable') this.#ports.directed.remove(session, stanza.from as Jid)
    session.sendWire(wire)
    return 1
  }

  /** Runs the receiver's filters. False when it is not to be delivered as it is: dropped, refused, or delivered changed. */
  #isAdmitted(account: Account, stanza: Stanza, target: Jid, admission: Admission): boolean {
    const copy = stanza.addressed(stanza.from, target)
    try {
      const passed = admission.admit({ account, stanza: copy })
      if (passed === copy) return true
      if (passed !== undefined) this.deliverOne({ account, stanza: passed })
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      const reply = errorReply(copy, error)
      if (reply !== undefined) void this.#ports.router.route(reply)
    }
    return false
  }
}
