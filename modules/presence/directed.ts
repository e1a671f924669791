/**
 * Directed presence (RFC 6121 §4.6): whom a session told that it is there although no subscription says so, so that they
 * can be told when it is gone.
 */
import type { Session, SessionSlot } from '@rollcall/module-api'
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'

type DirectedList = Map<string, Jid>

export class DirectedPresence {
  readonly #slot: SessionSlot<DirectedList>
  readonly #entitiesMax: number

  constructor(entitiesMax: number, register: (slot: SessionSlot<DirectedList>) => SessionSlot<DirectedList>) {
    this.#entitiesMax = entitiesMax
    this.#slot = register({
      slotName: 'directed-presence',
      version: 1,
      exportState: (list) => [...list.keys()],
      importState: (json) => new Map((json as string[]).flatMap((text) => {
        const jid = tryParseJid(text)
        return jid === undefined ? [] : [[text, jid] as const]
      })),
    })
  }

  /** Notes an entity (bare or full JID). Throws `resource-constraint` when the session has told too many. */
  add(session: Session, entity: Jid): void {
    let list = session.get(this.#slot)
    if (list === undefined) {
      session.set(this.#slot, list = new Map())
      session.account.noteChange()
    }
    const key = entity.toString()
    if (!list.has(key) && list.size >= this.#entitiesMax) throw new StanzaError('resource-constraint', 'Directed presence to too many entities')
    list.set(key, entity)
  }

  /** Whether the session told anybody. */
  isUsed(session: Session): boolean {
    return session.get(this.#slot) !== undefined
  }

  has(session: Session, entity: Jid): boolean {
    return session.get(this.#slot)?.has(entity.toString()) === true
  }

  /** Forgets one entity: it was told unavailable, or is unavailable itself. */
  remove(session: Session, entity: Jid): void {
    const list = session.get(this.#slot)
    if (list?.delete(entity.toString()) === true && list.size === 0) session.set(this.#slot, undefined)
  }

  /** Forgets everything that belongs to a bare JID. */
  removeBare(session: Session, entity: Jid): void {
    for (const other of session.get(this.#slot)?.values() ?? []) if (other.bareEquals(entity)) this.remove(session, other)
  }

  /** Whether the session told the entity itself or a resource of it. */
  hasBare(session: Session, entity: Jid): boolean {
    for (const other of this.all(session)) if (other.bareEquals(entity)) return true
    return false
  }

  all(session: Session): Iterable<Jid> {
    return session.get(this.#slot)?.values() ?? []
  }

  /** Takes the whole list. */
  take(session: Session): Iterable<Jid> {
    const list = session.get(this.#slot)
    if (list === undefined) return []
    session.set(this.#slot, undefined)
    return list.values()
  }
}
