/**
 * Contacts on other members, as a session that becomes available asks for them.
 *
 * One probe goes to each member that holds some of them, and each answers once, for all together. Between the question and
 * the answer their changes come as to everybody; who changed meanwhile has said more than the answer, so of them the answer
 * is left out. Nothing comes twice, and nothing old comes after something new. Who is to be told of those too who are not there
 * learns who they are when all have answered.
 */
import type { ProbeAnswer, Router, Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { buildStanza } from '@rollcall/stanza'
import { PROBE_ID } from './probes.ts'

interface Asking {
  readonly probe: string
  /** Contacts of whom no answer came yet. */
  left: number
  /** Full JIDs whose presence came by itself. */
  readonly told: Set<string>
  /** Contacts nobody has heard of yet, by bare JID; undefined when nobody wants to know. */
  readonly silent: Map<string, Jid> | undefined
}

const nobody: ReadonlySet<string> = new Set()

export class AbsentContacts {
  readonly #router: Router
  readonly #asking = new Map<Session, Asking>()
  #lastProbe = 0

  constructor(router: Router) {
    this.#router = router
  }

  /** Sessions that wait for answers. */
  get size(): number {
    return this.#asking.size
  }

  /** `isComplete`: who is not there is of interest, too. */
  ask(session: Session, contacts: readonly Jid[], isComplete = false): void {
    const probe = `${PROBE_ID}-${++this.#lastProbe}`
    const silent = isComplete ? new Map(contacts.map((contact) => [contact.bare.toString(), contact])) : undefined
    this.#asking.set(session, { probe, left: contacts.length, told: new Set(), silent })
    this.#router.broadcast(buildStanza('presence', { from: session.jid, type: 'probe', id: probe }), contacts)
  }

  /** The session was told of a change. */
  told(session: Session, from: Jid): void {
    const asking = this.#asking.get(session)
    if (asking === undefined) return
    asking.told.add(from.toString())
    asking.silent?.delete(from.bare.toString())
  }

  /**
   * An answer for some contacts came; returns those of whom it says nothing new, undefined when it came too late. `gone` is told of each
   * contact who is not there, after the last answer.
   */
  answered(session: Session, { probe, contactCount, states }: ProbeAnswer, gone: (contact: Jid) => void): ReadonlySet<string> | undefined {
    const asking = this.#asking.get(session)
    // Asked on another member, from where the session came.
    if (asking === undefined) return nobody
    // Asked before the session went and came again.
    if (asking.probe !== probe) return undefined
    asking.left -= contactCount
    if (asking.silent !== undefined) for (const { from } of states) asking.silent.delete(from?.bare.toString() ?? '')
    if (asking.left <= 0) {
      this.#asking.delete(session)
      for (const contact of asking.silent?.values() ?? []) gone(contact)
    }
    return asking.told
  }

  /** The session wants no answers any more. */
  forget(session: Session): void {
    this.#asking.delete(session)
  }
}
