/**
 * What modules ask each other where several members serve the same hosts. A module that keeps state per account here sees the
 * accounts of its own member only; whoever wants all of them, or one that may be elsewhere, asks through this port. It is the
 * same with one member.
 */
import { definePort } from '@rollcall/ports'
import type { Json } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'

/** Something that each member answers for its own accounts. */
export interface Question<Asked extends Json, Answer extends Json> {
  /**
   * Asks every member, this one included, all at the same time; answers are in no order. Rejects with the first `StanzaError`
   * of an answer, or with `remote-server-timeout` when a member does not answer within 5 s: what the others did stays done.
   * An account that moves to another member meanwhile may be counted by both or by neither.
   */
  all(asked: Asked): Promise<readonly Answer[]>
  /** Asks the member that owns the account; waits while the account moves. Rejects as `all` does. */
  owner(account: Jid, asked: Asked): Promise<Answer>
}

/** Questions and answers are data and travel as JSON. Delivery: at most once, no order between questions. */
export interface Members {
  /** Registers how this member answers; a `StanzaError` reaches the asker. Throws when the name is taken. */
  question<Asked extends Json, Answer extends Json>(name: string, answer: (asked: Asked) => Answer | Promise<Answer>): Question<Asked, Answer>
  /** Called when this member or another has come: what was told to all before, the newer one may have missed. */
  onCome(listener: () => void): void
}
export const Members = definePort<Members>('members')
