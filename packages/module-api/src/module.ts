/**
 * A module is data plus one `setup` function. What it declares decides what it is handed; nothing is looked up by string
 * and nothing is reached except through the context.
 */
import type { Jid } from '@rollcall/jid'
import type { Port, PortType, StoreDeclaration, StoreOf } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'
import type { ElementCodec } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import type { Account, AccountSlot, Session, SessionSlot } from './entities.ts'
import type { ClaimHandler, ClaimHook, FilterHandler, FilterHook, FilterScope, ObserveHandler, ObserveHook, Stage } from './hook.ts'
import type { Option, OptionsOf } from './option.ts'

/** A specification that a module implements; feeds the generated XEP list and DOAP file. */
export interface Implements {
  readonly xep?: number
  readonly rfc?: number
  readonly version: string
  readonly status: 'complete' | 'partial'
  /** What is left out, when partial. */
  readonly note?: string
}

type Ports = Readonly<Record<string, Port<unknown>>>
type Stores = Readonly<Record<string, StoreDeclaration>>
type Options = Readonly<Record<string, Option<unknown>>>

/** An iq request being handled. Returning is the result; throwing `StanzaError` is the error. */
export interface IqRequest<T> {
  readonly payload: T
  readonly stanza: Stanza
  readonly from: Jid
  /** The entity addressed; a client's iq without `to` is addressed to its own bare JID. */
  readonly to: Jid
  /** The requesting session when it is one of ours on this member. */
  readonly session: Session | undefined
}
export interface AccountIqRequest<T> extends IqRequest<T> {
  readonly account: Account
}
/** The payload of the result, nothing for an empty result, or the whole result where it is made of wire strings. */
export type IqReply = XmlElement | Stanza | void
export type IqHandler<R> = (request: R) => IqReply | Promise<IqReply>

/**
 * Who may ask.
 * - `host`: addressed to one of our hosts, by anyone.
 * - `account`: addressed to an account's bare JID, by anyone: the handler must check what the asker may know.
 * - `self`: addressed to the asker's own account; everyone else gets `forbidden` before the account is looked up.
 */
export interface IqScopes<T> {
  host: IqRequest<T>
  account: AccountIqRequest<T>
  self: AccountIqRequest<T> & { readonly session: Session }
}

/** Turns something on for a session that is being bound; see `onBindInline`. Stanzas to it wait until all promises settle. */
export type BindInlineHandler<T> = (session: Session, payload: T) => XmlElement | void | Promise<XmlElement | void>
export type BoundHandler = (session: Session) => XmlElement | void | Promise<XmlElement | void>

export interface ModuleContext<C extends Options, S extends Stores, N extends Ports, W extends Ports = {}> {
  readonly config: OptionsOf<C>
  readonly stores: { readonly [K in keyof S]: StoreOf<S[K]> }
  readonly ports: { readonly [K in keyof N]: PortType<N[K]> } & { readonly [K in keyof W]: PortType<W[K]> | undefined }
  /** Offers an implementation of a port named in `provides`; exactly once, before `setup` returns. */
  provide<T>(port: Port<T>, implementation: T): void
  /** Registers state that every warm account carries for this module; use the returned token with `account.get`. */
  accountSlot<T>(slot: AccountSlot<T>): AccountSlot<T>
  /** Registers per-session state so that it moves with the session; use the token with `session.get` and `set`. */
  sessionSlot<T>(slot: SessionSlot<T>): SessionSlot<T>
  on<E>(hook: ObserveHook<E>, stage: Stage, handler: ObserveHandler<E>): void
  on<E extends { readonly stanza: Stanza }>(hook: FilterHook<E>, stage: Stage, handler: FilterHandler<E>, scope?: FilterScope): void
  on<E>(hook: ClaimHook<E>, stage: Stage, handler: ClaimHandler<E>): void
  /** Tells the observers of a hook that this module's feature defines. */
  emit<E>(hook: ObserveHook<E>, event: E): void
  onIqGet<T, K extends keyof IqScopes<T>>(codec: ElementCodec<T>, scope: K, handler: IqHandler<IqScopes<T>[K]>): void
  onIqSet<T, K extends keyof IqScopes<T>>(codec: ElementCodec<T>, scope: K, handler: IqHandler<IqScopes<T>[K]>): void
  /** An iq of a client that has not authenticated (in-band registration). `address` is the peer's, for rate limits. */
  onPreAuthIq<T>(type: 'get' | 'set', codec: ElementCodec<T>, handler: (request: PreAuthIq<T>) => IqReply | Promise<IqReply>): void
  /**
   * Something that a client may ask for while it binds its resource (XEP-0386 §3.2): the handler runs when the session
   * exists and before anything is sent to it, and what it returns stands in `<bound/>`. A `StanzaError` leaves the request
   * unanswered, which is all that XEP-0386 allows. `feature` names it in the list of the server; the codec's namespace
   * unless told.
   */
  onBindInline<T>(codec: ElementCodec<T>, handler: BindInlineHandler<T>, feature?: string): void
  /** An element that stands in `<bound/>` of every resource that is bound so. */
  onBound(handler: BoundHandler): void
  /** A wire string put into `<stream:features/>` before or after authentication, on every stream of every host. */
  streamFeature(when: 'before-auth' | 'after-auth', read: (host: string) => string): void
  /** Runs when the server stops, before storage closes. */
  onStop(stop: () => void | Promise<void>): void
}

export interface PreAuthIq<T> {
  readonly payload: T
  readonly stanza: Stanza
  readonly host: string
  readonly address: string
}

export interface ModuleDeclaration<
  C extends Options = Options, S extends Stores = Stores, N extends Ports = Ports, W extends Ports = Ports,
> {
  readonly name: string
  /** One sentence for the generated reference. */
  readonly summary: string
  readonly implements: readonly Implements[]
  /** Disco features (XEP-0030) of hosts and of accounts. */
  readonly features?: { readonly host?: readonly string[]; readonly account?: readonly string[] }
  /**
   * Payload namespaces of requests that cost much and can wait: while the member is overloaded they are refused with
   * `resource-constraint` (RFC 6120 §8.3.3.18), whose type `wait` says that they may be sent again later.
   */
  readonly costly?: readonly string[]
  readonly config?: C
  readonly stores?: S
  /** Ports of the core, of the runtime and of other modules. */
  readonly needs?: N
  /** Ports of other modules that are used if there, and undefined when their module is turned off. */
  readonly wants?: W
  readonly provides?: readonly Port<unknown>[]
  /** Off unless the config file turns it on. */
  readonly isOffByDefault?: boolean
  setup(context: ModuleContext<C, S, N, W>): void | Promise<void>
}

/** Any module, as the server's loader sees it. */
export type AnyModule = ModuleDeclaration

/** Declares a module; infers the types of config, stores and ports for `setup`. */
export function defineModule<C extends Options = {}, S extends Stores = {}, N extends Ports = {}, W extends Ports = {}>(
  declaration: ModuleDeclaration<C, S, N, W>,
): AnyModule {
  return declaration
}
