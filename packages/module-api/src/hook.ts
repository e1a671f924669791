/**
 * Hooks: typed tokens of three kinds. A module names the hook, the stage and the handler; nothing else decides order.
 *
 * - `observe`: told after the fact; cannot affect the stanza. A throw is logged and the next handler runs.
 * - `filter`: may replace the stanza, drop it silently, or throw a `StanzaError` to reject it. Any other throw rejects
 *   the stanza with `internal-server-error`: filters fail closed.
 * - `claim`: the first handler that takes the event ends the search.
 *
 * Handlers of filters and claims are synchronous so that the order of stanzas needs no locks; what they need to know is
 * in memory because an account is loaded before its stanzas are handled. A claim may return a promise: the event is
 * taken, and the promise settles when what it stands for is durable.
 */
import type { Stanza, StanzaKind } from '@rollcall/stanza'
import type { Account } from './entities.ts'

/** Within a stage handlers run in the order of their modules' names. */
export type Stage = 'early' | 'normal' | 'late'

export interface ObserveHook<E> {
  readonly kind: 'observe'
  readonly hookName: string
  readonly event?: E
}
export interface FilterHook<E extends { readonly stanza: Stanza }> {
  readonly kind: 'filter'
  readonly hookName: string
  readonly event?: E
}
export interface ClaimHook<E> {
  readonly kind: 'claim'
  readonly hookName: string
  readonly event?: E
}

/** What a filter has nothing to do with, so that it costs nothing there. */
export interface FilterScope {
  /** Kinds of stanzas that the handler looks at; all unless told. */
  readonly kinds?: readonly StanzaKind[]
  /**
   * Whether it may do anything to a stanza for an account. Asked per account of a broadcast, before a copy is made: it must be cheap. For
   * available and unavailable presence the answer is remembered: it may depend on the sender's bare JID, which never changes it, and
   * on state of the account, each change of which is noted (`Account.noteChange`).
   */
  readonly concerns?: (account: Account, stanza: Stanza) => boolean
}

/** Returned by a filter: the stanza disappears and nobody is told. */
export const dropped: unique symbol = Symbol('dropped')
/** What a filter may return: nothing (pass), another stanza, or `dropped`. */
export type FilterResult = void | Stanza | typeof dropped
/** What a claim returns: `false` not mine, `true` taken, a promise = taken and durable when it settles. */
export type ClaimResult = boolean | Promise<void>

export type ObserveHandler<E> = (event: E) => void
export type FilterHandler<E> = (event: E) => FilterResult
export type ClaimHandler<E> = (event: E) => ClaimResult

export const observeHook = <E>(hookName: string): ObserveHook<E> => ({ kind: 'observe', hookName })
export const filterHook = <E extends { readonly stanza: Stanza }>(hookName: string): FilterHook<E> => ({ kind: 'filter', hookName })
export const claimHook = <E>(hookName: string): ClaimHook<E> => ({ kind: 'claim', hookName })
