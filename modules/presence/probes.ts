/** Presence probes that came from elsewhere (RFC 6121 §4.3.2, §4.6.6). */
import type { Account, Router } from '@rollcall/module-api'
import type { CounterMetric } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import { formatDateTime } from '@rollcall/protocol'
import { buildStanza, presence, Stanza } from '@rollcall/stanza'
import type { Roster } from '../roster/port.ts'
import type { DirectedPresence } from './directed.ts'
import type { LastPresences } from './last-presences.ts'
import type { LastPresence } from './port.ts'

/** The id of probes that this server sends; what comes back with it is no business of clients. */
export const PROBE_ID = 'rollcall-probe'
const NS_DELAY = 'urn:xmpp:delay'

export interface ProbesPorts {
  readonly router: Router
  readonly roster: Roster
  readonly directed: DirectedPresence
  readonly lasts: LastPresences
  /** Probes answered because a stanza asked. */
  readonly answered: CounterMetric
  /** Contacts whose presence a login got without a stanza. */
  readonly answeredFromMemory: CounterMetric
  /** Contacts whose presence a login on another member got. */
  readonly answeredToMembers: CounterMetric
}

export class Probes {
  readonly #ports: ProbesPorts

  constructor(ports: ProbesPorts) {
    this.#ports = ports
  }

  get answeredFromMemory(): CounterMetric {
    return this.#ports.answeredFromMemory
  }

  get answeredToMembers(): CounterMetric {
    return this.#ports.answeredToMembers
  }

  /** Answers a probe for a bare or full JID of the account. A promise when storage is read. */
  answer(account: Account, probe: Stanza, isHidden: (contact: Jid) => boolean): void | Promise<void> {
    const { from, to } = probe
    if (from === undefined || to === undefined) return
    this.#ports.answered.add(1)
    const isOwn = from.bareEquals(account.jid)
    if (!isOwn && isHidden(from)) return this.#route(gone(account.jid, from, probe.id))
    if (!isOwn && !this.#ports.roster.isWatcher(account, from)) return this.#toStranger(account, probe, from, to)
    if (to.isFull) return this.#aboutResource(account, probe, from, to)
    let count = 0
    for (const session of account.sessions.values()) {
      if (session.presence === undefined) continue
      void this.#ports.router.route(session.presence.addressed(session.jid, from))
      count++
    }
    if (count === 0) return this.#aboutAbsent(account, probe, from)
  }

  /** §4.6.6: who got directed presence may ask about that resource. Others learn nothing, not even that the account is there. */
  #toStranger(account: Account, probe: Stanza, from: Jid, to: Jid): void | Promise<void> {
    const session = to.isFull ? account.sessions.get(to.resourcepart) : undefined
    if (session !== undefined && this.#ports.directed.has(session, from)) return this.#route(presence(session.jid, from, ''))
    return this.#route(buildStanza('presence', { from: account.jid, to: from.bare, type: 'unsubscribed', id: probe.id }))
  }

  /** §4.3.2: about one resource only whether it is available, and nothing about any other. */
  #aboutResource(account: Account, probe: Stanza, from: Jid, to: Jid): void | Promise<void> {
    const session = account.sessions.get(to.resourcepart)
    if (session?.presence === undefined) return this.#route(gone(to, from, probe.id))
    return this.#route(presence(session.jid, from, ''))
  }

  /** §4.3.2: nobody is available, since when, and the last words if they are known. */
  async #aboutAbsent(account: Account, probe: Stanza, from: Jid): Promise<void> {
    const last = await this.#ports.lasts.read(account.jid.toString())
    // Somebody came meanwhile, and has told the prober already.
    for (const _ of account.availableSessions()) return
    const answer = gone(account.jid, from, probe.id)
    await this.#ports.router.route(last === undefined ? answer : withLast(answer, last, account.jid))
  }

  #route(stanza: Stanza): void | Promise<void> {
    return this.#ports.router.route(stanza)
  }
}

function gone(from: Jid, to: Jid, id: string): Stanza {
  return buildStanza('presence', { from, to, type: 'unavailable', id })
}

/** The last words stand before the delay that dates them; nobody looks inside, so the index names the delay alone. */
function withLast({ from, to, type, id, attrs }: Stanza, last: LastPresence, account: Jid): Stanza {
  const content = `${last.content}<delay xmlns='${NS_DELAY}' from='${account.wire}' stamp='${formatDateTime(last.at)}'/>`
  const child = { name: 'delay', ns: NS_DELAY, start: last.content.length, end: content.length }
  return new Stanza('presence', from, to, type, id, attrs, content, [child])
}
