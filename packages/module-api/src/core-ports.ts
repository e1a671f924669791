/** Ports that the core itself provides to modules. */
import { definePort } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { Stanza } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import type { Account, Session } from './entities.ts'
import type { InboundStanza } from './hooks.ts'

/**
 * Sends a stanza from a local entity to wherever its `to` lives: account, host, component, remote domain.
 * Order: FIFO per (from, to). The result is a promise only when something durable is under way (an offline message); it
 * settles when that is committed. An undeliverable stanza is answered with an error to its `from`, never thrown.
 */
export interface Router {
  route(stanza: Stanza): void | Promise<void>
  /**
   * One stanza to many bare or full JIDs: one envelope per member, serialised once. `stanza.to` is ignored.
   * Subject to the receivers' `inbound` filters like any other.
   */
  broadcast(stanza: Stanza, targets: readonly Jid[]): void
  /** Answers a probe of `to` (a full JID) that was broadcast to contacts here, for all of them in one envelope. */
  answerProbes(to: Jid, answer: ProbeAnswer): void
  /** Whether this domain is served here (a host). Components and remote domains are not. */
  isHost(domainpart: string): boolean
  /** Whether this member holds the entity: an account of one of our hosts whose shard is here. */
  isHere(jid: Jid): boolean
}
export const Router = definePort<Router>('router')

/** What a member's contacts of a session answer to its probe (RFC 6121 §4.3.2), all together. */
export interface ProbeAnswer {
  /** The `id` of the probe. */
  readonly probe: string
  /** Of every available resource its presence (`from` is its full JID), and `unsubscribed` of contacts that do not know the asker. */
  readonly states: readonly Stanza[]
  /** How many contacts this answers for. */
  readonly contactCount: number
}

/** How accounts lie in shards: fixed slots of a hash over bare JIDs, each of which one member owns. */
export interface Shards {
  readonly count: number
  /** From 0 up to `count`. */
  of(account: Jid): number
}
export const Shards = definePort<Shards>('shards')

/** Accounts of this member's shards. */
export interface Accounts {
  /** The account if it is warm here; never loads. */
  warm(jid: Jid): Account | undefined
  /** How often accounts became warm so far: while it is the same, nobody is warm who was not. */
  readonly warmedCount: number
  /** Warms the account and runs `use` in the account's order; undefined when no such account exists. */
  use<T>(jid: Jid, use: (account: Account) => T): Promise<T | undefined>
  exists(jid: Jid): Promise<boolean>
  /** All warm accounts with at least one session; for statistics and commands, not for the hot path. */
  online(): Iterable<Account>
}
export const Accounts = definePort<Accounts>('accounts')

/** Account management; errors are `StanzaError`s that an iq may answer with. */
export interface AccountAdmin {
  /** `conflict` when it exists, `not-acceptable` for a bad localpart or password, `not-allowed` for a host not served. */
  create(jid: Jid, password: string): Promise<void>
  /** Deletes the account with everything every module keeps, ends its sessions, tells its contacts. `item-not-found`. */
  remove(jid: Jid): Promise<void>
  setPassword(jid: Jid, password: string): Promise<void>
  /** Ends the account's sessions and refuses its logins, or allows them again; nothing is deleted. `item-not-found`. */
  setDisabled(jid: Jid, isDisabled: boolean): Promise<void>
  verifyPassword(jid: Jid, password: string): Promise<boolean>
  /** In text order, strictly after `after`. */
  list(host: string, after: Jid | undefined, limit: number): Promise<Jid[]>
  count(host: string): Promise<number>
}
export const AccountAdmin = definePort<AccountAdmin>('accountAdmin')

/** A client of an account, connected or not, that names itself when it logs in (XEP-0388 §2.3). Times: ms since 1970. */
export interface LoginClient {
  /** As in `session.origin.clientId`. */
  readonly id: string
  readonly firstSeenAt: number
  readonly lastSeenAt: number
  readonly software: string | undefined
  readonly device: string | undefined
  /** It logged in with what still is the password. */
  readonly knowsPassword: boolean
  /** It has a token (XEP-0484) that still lets it in. */
  readonly hasToken: boolean
}

/** The clients that the account's owner may see and send away (XEP-0494). Rejects when storage fails. */
export interface LoginClients {
  /** Most recently seen first. */
  list(account: Jid): Promise<readonly LoginClient[]>
  /**
   * Takes a client's tokens from it and forgets it, unless it knows the password: then it still has access, and stays in the
   * list. Its sessions are the caller's to end.
   */
  revoke(account: Jid, id: string): Promise<'revoked' | 'knows-password' | 'unknown'>
}
export const LoginClients = definePort<LoginClients>('loginClients')

/** Requests that the server itself sends. Rejects with the `StanzaError` of the answer, or `remote-server-timeout`. */
export interface IqClient {
  request(from: Jid, to: Jid, type: 'get' | 'set', payload: XmlElement, timeoutMs: number): Promise<Stanza>
}
export const IqClient = definePort<IqClient>('iqClient')

/** Facts about this server and what modules declared, for disco, version and status. */
export interface ServerInfo {
  readonly software: string
  readonly version: string
  readonly hosts: readonly string[]
  readonly startedAt: number
  /** Disco features declared by all modules. */
  features(scope: 'host' | 'account'): readonly string[]
  /** Domains of connected components of a host (XEP-0114), for disco items. */
  components(): readonly string[]
  /** Administrators from the config file: bare JIDs. */
  isAdmin(jid: Jid): boolean
  /** Contact addresses from the config file (XEP-0157): kind → addresses. */
  readonly contacts: Readonly<Record<string, readonly string[]>>
}
export const ServerInfo = definePort<ServerInfo>('serverInfo')

/** Control of the running server, for administration commands. */
export interface ServerControl {
  /** Tells clients (RFC 6120 §4.9.3.19) and stops after `delayMs`. */
  shutdown(delayMs: number): void
  reload(): Promise<void>
}
export const ServerControl = definePort<ServerControl>('serverControl')

/** One presence, serialised once, for many sessions. */
export interface PresenceEnvelope {
  /** Gives it to a session, as `Session.sendPresence` with the address between head and tail; it leaves with `close`. */
  give(session: Session, to: Jid): void
  /** As `give`, to one that is known to be plain (`Session.isPlain`). */
  givePlain(session: Session, to: Jid): void
  /** Sends it, once. Nothing else may be sent to the sessions between. */
  close(): void
}
/** What the sessions of one edge get of one broadcast travels to it as one message. */
export interface PresenceEnvelopes {
  /** An envelope for presence of `from`; head and tail are wire strings. */
  open(from: Jid, head: string, tail: string): PresenceEnvelope
}
export const PresenceEnvelopes = definePort<PresenceEnvelopes>('presenceEnvelopes')

/**
 * Provided by the presence module, called by the router: one presence stanza that came for many accounts of this member.
 * It must have the same effect as delivering `stanza.addressed(from, target)` to each target in turn, but that a probe is
 * answered for all together (`Router.answerProbes`), and is about those who are available: nobody is loaded for it.
 */
export interface PresenceFanOut {
  /** `admission` is undefined when no filter looks at presence. */
  deliver(stanza: Stanza, targets: readonly Jid[], admission?: Admission): void
  /** The answer to a probe of a session of this member (`Router.answerProbes`). */
  answered(to: Jid, answer: ProbeAnswer): void
  /** Sends what waits about the account on its way: the account is about to leave this member. */
  settle(account: Account): void
}
/** Provided by whoever keeps messages, asked by the core about messages that a member which died may have handled. */
export interface KeptMessages {
  /** Whether a message of that stamp is among what the account's log had when members died, at these times (ms since the Unix epoch). */
  isKept(account: Jid, stamp: string, deaths: readonly number[]): Promise<boolean>
}
export const KeptMessages = definePort<KeptMessages>('keptMessages')
/** The receivers' `inbound` filters, for many receivers of one stanza. */
export interface Admission {
  /** Whether a filter may do anything to presence for the account; if not, `admit` need not be called. */
  concerns(account: Account, stanza: Stanza): boolean
  /** The stanza to go on with, or undefined when it was dropped. Throws `StanzaError`. */
  admit(event: InboundStanza): Stanza | undefined
}
export const PresenceFanOut = definePort<PresenceFanOut>('presenceFanOut')
