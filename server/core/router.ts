/**
 * From a stanza's `to` to the place where it is handled: this member's accounts, another member, a host itself, a
 * component, or nowhere. Never throws: what cannot be delivered is answered to its sender.
 */
import { errorReply, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { ProbeAnswer, Router } from '@rollcall/module-api'
import type { CounterMetric, Log, Metrics } from '@rollcall/ports'
import type { Carrier, Placement } from '../protocol/placement.ts'
import type { ComponentTable } from './components.ts'

/** How one stanza that came for many reaches the accounts of this member; the presence engine provides it. */
export type ExpandBroadcast = (stanza: Stanza, targets: readonly Jid[]) => void
/** What becomes of the answer to probes of a session of this member; the presence engine provides it. */
export type TakeAnswer = (to: Jid, answer: ProbeAnswer) => void

export interface RouterPorts {
  readonly placement: Placement
  /** Absent where there is one member. */
  readonly carrier: Carrier | undefined
  readonly hosts: ReadonlySet<string>
  readonly components: ComponentTable
  readonly metrics: Metrics
  readonly log: Log
  /** Accounts of this member (`Delivery.deliver`). */
  readonly toAccount: (stanza: Stanza) => void | Promise<void>
  /** A host's own address. */
  readonly toHost: (stanza: Stanza) => void
}

export class CoreRouter implements Router {
  readonly #ports: RouterPorts
  readonly #routed: Record<Stanza['kind'], CounterMetric>
  #expand: ExpandBroadcast | undefined = undefined
  #takeAnswer: TakeAnswer | undefined = undefined

  constructor(ports: RouterPorts) {
    this.#ports = ports
    const counter = (kind: string) =>
      ports.metrics.counter('rollcall_stanzas_routed_total', 'Stanzas routed, by kind.', { kind })
    this.#routed = { message: counter('message'), presence: counter('presence'), iq: counter('iq') }
  }

  /** Set once at boot when a module provides the presence engine. */
  usePresenceEngine(expand: ExpandBroadcast, takeAnswer: TakeAnswer): void {
    this.#expand = expand
    this.#takeAnswer = takeAnswer
  }

  isHost(domainpart: string): boolean {
    return this.#ports.hosts.has(domainpart)
  }

  isHere(jid: Jid): boolean {
    return jid.localpart !== '' && this.#ports.hosts.has(jid.domainpart) && this.#ports.placement.isHere(jid)
  }

  route(stanza: Stanza): void | Promise<void> {
    const { to } = stanza
    if (to === undefined) throw new Error('A routed stanza has an address')
    this.#routed[stanza.kind].add(1)
    if (stanza.trace !== '') this.#ports.log.debug('stanza-routed', { trace: stanza.trace, kind: stanza.kind, type: stanza.type, to: to.toString() })
    if (!this.#ports.hosts.has(to.domainpart)) return this.#toForeign(stanza, to)
    if (to.localpart === '') return this.#ports.toHost(stanza)
    if (this.#ports.placement.isHere(to)) return this.#ports.toAccount(stanza)
    return this.#ports.carrier?.route(stanza)
  }

  broadcast(stanza: Stanza, targets: readonly Jid[]): void {
    let at = 0
    while (at < targets.length && this.#isExpandedHere(targets[at] as Jid)) at++
    // With one member and no other domains, which is usual, the list is used as it is.
    if (at === targets.length) {
      if (at > 0) this.expand(stanza, targets)
      return
    }
    const here = targets.slice(0, at)
    const elsewhere: Jid[] = []
    for (; at < targets.length; at++) {
      const target = targets[at] as Jid
      if (this.#isExpandedHere(target)) here.push(target)
      else if (this.#ports.hosts.has(target.domainpart)) elsewhere.push(target)
      else void this.route(stanza.addressed(stanza.from, target))
    }
    if (here.length > 0) this.expand(stanza, here)
    if (elsewhere.length > 0) this.#ports.carrier?.broadcast(stanza, elsewhere)
  }

  #isExpandedHere(target: Jid): boolean {
    return this.#ports.hosts.has(target.domainpart) && (target.localpart === '' || this.#ports.placement.isHere(target))
  }

  answerProbes(to: Jid, answer: ProbeAnswer): void {
    if (this.#ports.placement.isHere(to)) this.answered(to, answer)
    else this.#ports.carrier?.states(to, answer)
  }

  /** The answer to a probe of a session of this member. */
  answered(to: Jid, answer: ProbeAnswer): void {
    this.#routed.presence.add(answer.states.length)
    this.#takeAnswer?.(to, answer)
  }

  /** Delivers one stanza to many entities of this member. */
  expand(stanza: Stanza, targets: readonly Jid[]): void {
    this.#routed[stanza.kind].add(targets.length)
    if (this.#expand !== undefined && stanza.kind === 'presence') return this.#expand(stanza, targets)
    for (const target of targets) {
      const copy = stanza.addressed(stanza.from, target)
      if (target.localpart === '') this.#ports.toHost(copy)
      else void this.#ports.toAccount(copy)
    }
  }

  /** Answers a stanza with an error, where one is due and there is somebody to tell. */
  bounce(stanza: Stanza, error: StanzaError): void {
    const reply = errorReply(stanza, error)
    if (reply?.to !== undefined) void this.route(reply)
  }

  #toForeign(stanza: Stanza, to: Jid): void {
    if (this.#ports.components.deliver(stanza, to.domainpart)) return
    // An error about an error, or to a domain that is gone, ends here: `bounce` makes no reply to errors.
    if (stanza.from !== undefined && this.#isReachable(stanza.from)) this.bounce(stanza, new StanzaError('remote-server-not-found'))
  }

  #isReachable(jid: Jid): boolean {
    return this.#ports.hosts.has(jid.domainpart) || this.#ports.components.has(jid.domainpart)
  }
}

/** The address of a host itself. */
export function hostJid(host: string): Jid {
  return jidOf('', host)
}
