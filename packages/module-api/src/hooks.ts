/**
 * The hooks that the core offers, in the order in which a stanza meets them. `docs/path-of-a-stanza.md` draws the same.
 */
import type { Jid } from '@rollcall/jid'
import type { Stanza } from '@rollcall/stanza'
import { claimHook, filterHook, observeHook } from './hook.ts'
import type { Account, Session } from './entities.ts'

export interface OutboundStanza { readonly session: Session; readonly stanza: Stanza }
export interface InboundStanza { readonly account: Account; readonly stanza: Stanza }
export interface DeliveredMessage extends InboundStanza {
  /** The sessions that got a copy; empty when none did. */
  readonly recipients: readonly Session[]
}
export interface UnboundSession {
  readonly session: Session
  /** 'closed' by the client, 'lost' connection, 'replaced' by a newer one, 'removed' account, 'shutdown'. */
  readonly reason: 'closed' | 'lost' | 'replaced' | 'removed' | 'shutdown'
}

/** A client's stanza with its `from` stamped, before anything acts on it. */
export const outbound = filterHook<OutboundStanza>('outbound')
/** A client's presence: undirected, directed or subscription-related. */
export const outboundPresence = claimHook<OutboundStanza>('outboundPresence')
/** A message that a client sent and `outbound` let through; before it is routed. */
export const messageSent = observeHook<OutboundStanza>('messageSent')

/** A stanza for an account (bare or full JID), before any rule of RFC 6121 §8.5 is applied. Iq results and errors too. */
export const inbound = filterHook<InboundStanza>('inbound')
/** Presence for an account: subscription-related, probes, and notifications from contacts. */
export const inboundPresence = claimHook<InboundStanza>('inboundPresence')
/** After a message for an account was given to sessions. */
export const messageDelivered = observeHook<DeliveredMessage>('messageDelivered')
/** A message for which no session is eligible (RFC 6121 §8.5.2.2): stored, or refused by nobody taking it. */
export const messageUndelivered = claimHook<InboundStanza>('messageUndelivered')

/** A resource was bound; no stanza of it has been handled yet. */
export const sessionBound = observeHook<{ readonly session: Session }>('sessionBound')
/** A session ended; it is no longer among `account.sessions`. `session.presence` still holds the last state. */
export const sessionUnbound = observeHook<UnboundSession>('sessionUnbound')
/** A session sent its first presence after being unavailable (RFC 6121 §4.2). */
export const resourceAvailable = observeHook<{ readonly session: Session; readonly presence: Stanza }>('resourceAvailable')
/** An available session sent presence with another priority (RFC 6121 §4.7.2.3); `session.priority` is the new one. */
export const priorityChanged = observeHook<{ readonly session: Session; readonly before: number }>('priorityChanged')
/** A session went unavailable, by presence or by ending. */
export const resourceUnavailable = observeHook<{ readonly session: Session; readonly presence: Stanza }>('resourceUnavailable')

/** An account exists from now on. */
export const accountCreated = observeHook<{ readonly jid: Jid }>('accountCreated')
/** An account is about to be deleted with all its data; sessions are already gone, the account's state is still there. */
export const accountRemoving = observeHook<{ readonly account: Account }>('accountRemoving')
