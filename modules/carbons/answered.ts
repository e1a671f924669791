/**
 * The latest copied messages of an account, so that an error that answers one of them is copied too (XEP-0280 §6.1).
 *
 * An error need not repeat what it answers, and its payload proves nothing (§10.3); all that ties it to a message is its
 * id and the address. So these are kept, for the last few messages: errors come at once or not at all.
 */
import type { Jid } from '@rollcall/jid'

/** Messages remembered per account. */
const MESSAGES_MAX = 64

export class CopiedMessages {
  // Most accounts never have copies: a set is made for those that do.
  #keys: Set<string> | undefined = undefined

  /** Notes a message that was exchanged with `peer`; without id no answer can be told apart. */
  note(peer: Jid | undefined, id: string): void {
    if (id === '') return
    const keys = (this.#keys ??= new Set())
    const key = keyOf(peer, id)
    keys.delete(key)
    keys.add(key)
    if (keys.size <= MESSAGES_MAX) return
    for (const oldest of keys) {
      keys.delete(oldest)
      return
    }
  }

  /** Whether an error of (or to) `peer` with that id answers one of them. */
  has(peer: Jid | undefined, id: string): boolean {
    return id !== '' && this.#keys?.has(keyOf(peer, id)) === true
  }
}

function keyOf(peer: Jid | undefined, id: string): string {
  return `${peer?.bare.toString() ?? ''} ${id}`
}
