/**
 * The hooks that the core offers, in the order in which a stanza meets them. `docs/path-of-a-stanza.md` draws the same.
 */
import type { Jid } from '@rollcall/jid'
import type { Stanza } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import { claimHook, filterHook, observeHook } from './hook.ts'
import type { Account, Session } from './entities.ts'

export interface OutboundStanza { readonly session: Session; readonly stanza: Stanza }
export interface InboundStanza { readonly account: Account; readonly stanza: Stanza }
export interface DeliveredMessage extends InboundStanza {
  /** The sessions that got a copy; empty when none did. */
  readonly recipients: readonly Session[]
  /**
   * Gives one more session the message in another form, as a wire string. It counts as one that got it: acknowledged by it
   * the message is with its account, and while it lives the message goes to nobody else. Of a message that nobody was
   * eligible for, that holds for sessions that are not available yet; for others the copy is only a notice.
   */
  copyTo(session: Session, wire: string): void
  /** The sessions that have been given such a copy so far, and count. */
  readonly holders: readonly Session[]
}
export interface AckedMessage {
  readonly session: Session
  /** As it was delivered. */
  readonly stanza: Stanza
}
export interface UnackedMessage extends InboundStanza {
  /** The session that got it and ended; no longer among `account.sessions`. */
  readonly session: Session
  /** When it was given to the session, ms since the Unix epoch. */
  readonly at: number
}
/** What handlers of `messageSubmitted` and `messageAccepted` may ask for. */
export interface KeepableMessage {
  /**
   * Handling the message is over when `work` has settled, and only then it may be acknowledged to its sender. Delivery
   * does not wait for it. A rejection is answered to the sender, a `StanzaError` as it is.
   */
  waitFor(work: Promise<void>): void
}
export interface SubmittedMessage extends OutboundStanza, KeepableMessage {}
export interface AcceptedMessage extends InboundStanza, KeepableMessage {
  /** The sessions that are going to get it; none when `messageUndelivered` comes next. */
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
/**
 * A message that a client sent and `outbound` let through, on its way into what the sender's own account keeps. What a
 * handler makes of it is what `messageSent` and the account's own archive get; what is routed stays as it was.
 */
export const messageSubmitted = filterHook<SubmittedMessage>('messageSubmitted')
/** A message that a client sent and `outbound` let through; before it is routed. */
export const messageSent = observeHook<OutboundStanza>('messageSent')

/** A stanza for an account (bare or full JID), before any rule of RFC 6121 §8.5 is applied. Iq results and errors too. */
export const inbound = filterHook<InboundStanza>('inbound')
/** Presence for an account: subscription-related, probes, and notifications from contacts. */
export const inboundPresence = claimHook<InboundStanza>('inboundPresence')
/** A message that passed `inbound` and is about to be given to sessions, or to nobody: the moment to keep it. */
export const messageAccepted = filterHook<AcceptedMessage>('messageAccepted')
/** After a message for an account was given to sessions. */
export const messageDelivered = observeHook<DeliveredMessage>('messageDelivered')
/** A message for which no session is eligible (RFC 6121 §8.5.2.2): stored, or refused by nobody taking it. */
export const messageUndelivered = claimHook<InboundStanza>('messageUndelivered')

/**
 * A message that the rules of RFC 6121 §8.5 gave to a session is with its client: acknowledged where the session has stream
 * management (XEP-0198), else written to its connection.
 */
export const messageAcked = observeHook<AckedMessage>('messageAcked')
/**
 * A message was given to a session that ended without acknowledging it, and no other session that got it is left. Whoever
 * has it safe, or has given it to others, claims it. Otherwise it is delivered again, with a delay stamp, as if it came now.
 */
export const messageUnacked = claimHook<UnackedMessage>('messageUnacked')

/** A first-level element of a client that is no stanza, in order with its stanzas; those of stream management are the core's. */
export const clientNonza = claimHook<{ readonly session: Session; readonly element: XmlElement }>('clientNonza')

/** A resource was bound; no stanza of it has been handled yet. */
export const sessionBound = observeHook<{ readonly session: Session }>('sessionBound')
/** A session ended; it is no longer among `account.sessions`. `session.presence` still holds the last state. */
export const sessionUnbound = observeHook<UnboundSession>('sessionUnbound')
/** A session's connection is lost, but its client may resume it (XEP-0198 §5); until it does or ends, nobody else is told. */
export const sessionDetached = observeHook<{ readonly session: Session }>('sessionDetached')
/** A client resumed its session; what it had missed was sent again. */
export const sessionResumed = observeHook<{ readonly session: Session }>('sessionResumed')
/**
 * A session goes on here whose core died. `unacked`: messages that its client has or may have, and did not acknowledge;
 * `received`: messages that it got lately. What else was on its way to it is lost.
 */
export const sessionRestored = observeHook<{
  readonly session: Session
  readonly unacked: readonly Stanza[]
  readonly received: readonly Stanza[]
}>('sessionRestored')
/**
 * A session goes on here that died with its member, connection and all; its client is expected to resume it. What was on its
 * way to the client is lost: the client has every message that it was given before `since` (ms since the Unix epoch), and of
 * later ones nobody knows.
 */
export const sessionAdopted = observeHook<{ readonly session: Session; readonly since: number }>('sessionAdopted')
/** A session sent its first presence after being unavailable (RFC 6121 §4.2). */
export const resourceAvailable = observeHook<{ readonly session: Session; readonly presence: Stanza }>('resourceAvailable')
/** An available session sent presence with another priority (RFC 6121 §4.7.2.3); `session.priority` is the new one. */
export const priorityChanged = observeHook<{ readonly session: Session; readonly before: number }>('priorityChanged')
/** A session went unavailable, by presence or by ending. */
export const resourceUnavailable = observeHook<{ readonly session: Session; readonly presence: Stanza }>('resourceUnavailable')

/** An account is about to go to another member with its state: what is not yet written has to be, by the time `work` settles. */
export const accountLeaving = observeHook<{ readonly account: Account; waitFor(work: Promise<void>): void }>('accountLeaving')
/** An account exists from now on. */
export const accountCreated = observeHook<{ readonly jid: Jid }>('accountCreated')
/** An account is about to be deleted with all its data; sessions are already gone, the account's state is still there. */
export const accountRemoving = observeHook<{ readonly account: Account }>('accountRemoving')
