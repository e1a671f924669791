/** Requests that the server itself sends, matched to their answers by id and peer (RFC 6120 §8.2.3). Bounded. */
import type { Jid } from '@rollcall/jid'
import type { Clock, Random, Timer } from '@rollcall/ports'
import { buildStanza, StanzaError, stanzaErrorTypes } from '@rollcall/stanza'
import type { Stanza, StanzaErrorCondition } from '@rollcall/stanza'
import type { IqClient } from '@rollcall/module-api'
import { NS_STANZA_ERRORS } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'

interface Pending {
  readonly peer: Jid
  readonly resolve: (stanza: Stanza) => void
  readonly reject: (error: StanzaError) => void
  readonly timer: Timer
}

/** Requests are answered to the member that made them. */
export interface RequestMembers {
  readonly own: string
  /** Sends the answer on; false when there is no such member. */
  forward(member: string, stanza: Stanza): boolean
}

/** Between the random part of an id and the member. */
const MARK = '~'

export class PendingRequests implements IqClient {
  readonly #pending = new Map<string, Pending>()
  readonly #clock: Clock
  readonly #random: Random
  readonly #max: number
  readonly #route: (stanza: Stanza) => void
  readonly #members: RequestMembers | undefined

  /** `members`: where there are several. */
  constructor(clock: Clock, random: Random, max: number, route: (stanza: Stanza) => void, members?: RequestMembers) {
    this.#clock = clock
    this.#random = random
    this.#max = max
    this.#route = route
    this.#members = members
  }

  request(from: Jid, to: Jid, type: 'get' | 'set', payload: XmlElement, timeoutMs: number): Promise<Stanza> {
    if (this.#pending.size >= this.#max) return Promise.reject(new StanzaError('resource-constraint'))
    const id = this.#members === undefined ? this.#random.id() : `${this.#random.id()}${MARK}${this.#members.own}`
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => {
        this.#pending.delete(id)
        reject(new StanzaError('remote-server-timeout'))
      })
      this.#pending.set(id, { peer: to, resolve, reject, timer })
      this.#route(buildStanza('iq', { from, to, type, id, children: [payload] }))
    })
  }

  /** Takes an iq result or error that is addressed to the server or to an account's bare JID; false when nobody waits. */
  settle(stanza: Stanza): boolean {
    const pending = this.#pending.get(stanza.id)
    if (pending === undefined) return this.#forward(stanza)
    // The answer must come from the entity that was asked: ids can be guessed.
    if (stanza.from === undefined || !pending.peer.equals(stanza.from)) return false
    this.#pending.delete(stanza.id)
    pending.timer.cancel()
    if (stanza.type === 'error') pending.reject(readError(stanza))
    else pending.resolve(stanza)
    return true
  }

  /** An answer to a host or an account may come to any member; its id says who asked. */
  #forward(stanza: Stanza): boolean {
    const at = stanza.id.lastIndexOf(MARK)
    if (at < 0 || this.#members === undefined) return false
    const member = stanza.id.slice(at + MARK.length)
    return member !== this.#members.own && this.#members.forward(member, stanza)
  }
}

/** The error that a peer answered with; an unreadable one counts as `undefined-condition`. */
export function readError(stanza: Stanza): StanzaError {
  const child = stanza.findNs('jabber:client')
  const error = child === undefined ? undefined : stanza.element(child)
  for (const part of error?.children ?? []) {
    if (typeof part === 'string' || part.ns !== NS_STANZA_ERRORS || !(part.name in stanzaErrorTypes)) continue
    return new StanzaError(part.name as StanzaErrorCondition)
  }
  return new StanzaError('undefined-condition')
}
