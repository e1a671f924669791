/**
 * The core: owner of accounts and of everything that is routed. This file only puts the parts together.
 *
 * Data flows one way: bus → `ClientInbox` (a client's stanza) → `CoreRouter` → `Delivery` or `HostEntity` → bus.
 */
import {
  AccountAdmin, Accounts, inbound, IqClient, KeptMessages, LoginClients, Members, PresenceEnvelopes, PresenceFanOut, Router,
  ServerControl, ServerInfo, Shards,
} from '@rollcall/module-api'
import type { Admission, AnyModule, Port } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { Clock, Hasher, idleLoad, Load, Log, Metrics, Random } from '@rollcall/ports'
import type { Bus, MemberId, StorageBackend } from '@rollcall/ports'
import { SmEnable } from '@rollcall/protocol'
import type { Stanza } from '@rollcall/stanza'
import type { ServerMessage } from '../protocol/messages.ts'
import { SHARD_COUNT, shardOf } from '../protocol/placement.ts'
import type { Carrier, Placement } from '../protocol/placement.ts'
import { accountAdminPort, accountsPort } from './account-ports.ts'
import type { CredentialStore } from './account-ports.ts'
import { AccountRegistry } from './account-registry.ts'
import { BindInline } from './bind-inline.ts'
import { Binding } from './binding.ts'
import { busService } from './bus-service.ts'
import type { AuthResponder, CoreService } from './bus-service.ts'
import { ClientInbox } from './client-inbox.ts'
import { ComponentTable } from './components.ts'
import { defaultStreamManagement } from './config.ts'
import type { CoreConfig } from './config.ts'
import { Delivery } from './delivery.ts'
import type { LocalSession } from './entities.ts'
import { HookChains } from './hook-chains.ts'
import { HostEntity } from './host-entity.ts'
import { IqDispatch } from './iq-dispatch.ts'
import { PendingRequests } from './iq-client.ts'
import type { RequestMembers } from './iq-client.ts'
import { MemberCore } from './member-core.ts'
import { MemberQuestions } from './member-questions.ts'
import { presenceEnvelopes } from './presence-envelopes.ts'
import { ModuleLoader } from './module-loader.ts'
import { CoreRouter } from './router.ts'
import { Redelivery } from './redelivery.ts'
import { Repeats } from './repeats.ts'
import { SessionLedger } from './session-ledger.ts'
import { SessionMirror } from './session-mirror.ts'
import type { AccountSnapshot } from './snapshot.ts'
import { stopCore } from './stop.ts'
import { StreamManagement } from './stream-management.ts'

/** What a core is given that has others beside it. */
export interface CoreMembers {
  readonly carrier: Carrier
  /** Who keeps the ledger of sessions. */
  readonly coordinator: MemberId
}

export interface CoreOptions {
  /** Left out where there is one member. */
  readonly members?: CoreMembers
  readonly config: CoreConfig
  readonly software: { readonly name: string; readonly version: string }
  readonly modules: readonly AnyModule[]
  readonly bus: Bus<ServerMessage>
  readonly placement: Placement
  readonly storage: StorageBackend
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly hasher: Hasher
  /** An idle one when left out. */
  readonly load?: Load
  readonly credentials: CredentialStore
  readonly auth: AuthResponder
  readonly control: ServerControl
  readonly clients: LoginClients
}

export interface Core {
  readonly accounts: Accounts
  readonly admin: AccountAdmin
  readonly router: Router
  readonly modules: readonly AnyModule[]
  readonly sessionCount: number
  /** What a module provides under a port, if the module is on. */
  find<T>(port: Port<T>): T | undefined
  /** What the bus must call for messages to this core; the composition attaches it, together with an edge's. */
  readonly service: CoreService
  /** What it does as one of several. */
  readonly members: MemberCore
  /** Delivers to an account here, whatever the placement says: its shard has just come. */
  deliver(stanza: Stanza): void | Promise<void>
  /** The same for one stanza to many. */
  expand(stanza: Stanza, targets: readonly Jid[]): void
  /** Settles when of a message that came again, with that stamp, it is decided whether it is new. */
  decided(stamp: string): Promise<void>
  /** Tells a member that has come what it has to know of this one. */
  greet(member: MemberId): void
  /** Settles when everything that the account's clients sent so far is safe: to be awaited before it is handed over. */
  settled(account: Jid): Promise<void>
  /** The account's in-memory state, or undefined when it is not warm. The account is forgotten here, sessions and all. */
  handOver(account: Jid): AccountSnapshot | undefined
  /** Takes an account over; its edges must send the sessions' stanzas here from now on. */
  takeOver(snapshot: AccountSnapshot): Promise<void>
  /** Ends every session (modules tell contacts) and stops the modules; settles within `STOP_WAITS_MS`. Storage and bus stay open. */
  stop(): Promise<void>
}

/** Builds a core and sets up its modules. Rejects with `ModuleConfigError` when they cannot be. */
export async function createCore(options: CoreOptions): Promise<Core> {
  const { bus, clock, config, credentials, log, members: given, metrics, placement, random, storage } = options
  const carrier = given?.carrier
  const hosts = new Set(config.hosts)
  const hooks = new HookChains(log)
  const exists = (jid: Jid, isProven: boolean) => (isProven ? credentials.existsAfterLogin(jid) : credentials.exists(jid))
  const registry = new AccountRegistry({ clock, log, metrics, storage, limits: config.limits, exists })
  const load = options.load ?? idleLoad
  const iqs = new IqDispatch(log, load, metrics)
  const components = new ComponentTable(bus, () => carrier?.others ?? [])
  const bindInline = new BindInline(log)
  const binding = new Binding({
    bus, clock, random, log, metrics, limits: config.limits, registry, hooks, bindInline,
    orphaned: (session, entries) => redelivery.take(session, entries),
    discard: (account) => void discard(account, storage, log),
  })
  const ledger = given === undefined ? undefined : new SessionLedger({ bus, clock, coordinator: given.coordinator })
  const streams = new StreamManagement({
    clock, random, log, metrics, registry, binding, hooks, config: config.streamManagement ?? defaultStreamManagement,
    members: ledger && { ledger, digestOf: (bytes) => options.hasher.hash('sha-512', bytes), begun: (session) => mirror?.begun(session) },
  })
  // For replies: nobody waits until they are durable.
  const reply = (stanza: Stanza) => void router.route(stanza)
  const requests = new PendingRequests(clock, random, config.limits.pendingRequestsMax, reply, carrier === undefined ? undefined : answersOf(bus, carrier))
  const delivery = new Delivery({ registry, hooks, iqs, requests, clock, log, metrics, reply })
  const redelivery = new Redelivery({ delivery, hooks, log })
  const host = new HostEntity({ iqs, requests, reply, bounce: (stanza, error) => router.bounce(stanza, error) })
  const router = new CoreRouter({
    placement, carrier, hosts, components, metrics, log,
    toAccount: (stanza) => repeats.deliver(stanza),
    toHost: (stanza) => host.receive(stanza),
  })
  const repeats = new Repeats({ kept: () => loader.find(KeptMessages), deliver: (stanza) => delivery.deliver(stanza), log, clock })
  const inbox = new ClientInbox({ hooks, iqs, requests, log, metrics, route: (stanza) => router.route(stanza), repeats })
  const [accounts, questions] = [accountsPort(registry, credentials), new MemberQuestions({ bus, placement, carrier })]
  const admin = accountAdminPort({ placement, carrier, storage, registry, binding, hooks, credentials, hosts })
  const loader = new ModuleLoader({ storage, registry, hooks, iqs, log, bindInline })
  bindInline.add(SmEnable, (session, wish) => streams.enableInline(session as LocalSession, wish))

  offerOptions(loader, options)
  loader.offer(Router, router)
  loader.offer(PresenceEnvelopes, presenceEnvelopes(bus))
  loader.offer(Accounts, accounts)
  loader.offer(AccountAdmin, admin)
  loader.offer(Members, questions)
  loader.offer(IqClient, requests)
  loader.offer(ServerInfo, serverInfo(options, loader, components))
  await loader.load(options.modules, config.modules)
  expandBroadcasts(router, loader, hooks)
  const mirror = ledger === undefined ? undefined : new SessionMirror({ bus, clock, hooks, ledger })
  const members = new MemberCore({ bus, placement, clock, log, hooks, registry, binding, components, streams, repeats, loader, mirror, questions, reply })
  const service = busService({
    bus, binding, inbox, streams, router, components, loader, bindInline, auth: options.auth, hosts, iqs, log, admin, requests, members, mirror, questions,
  })

  return {
    accounts, admin, router, service, members,
    deliver: (stanza) => repeats.deliver(stanza),
    expand: (stanza, targets) => router.expand(stanza, targets),
    greet: (member) => members.greet(member),
    decided: (stamp) => repeats.decided(stamp),
    get modules() { return loader.loaded },
    get sessionCount() { return binding.sessions.count },
    find: (port) => loader.find(port),
    settled: (jid) => streams.settled(jid),
    handOver: (jid) => members.handOver(jid),
    takeOver: (snapshot) => members.takeOver(snapshot),
    stop: () => stopCore({ registry, binding, redelivery, streams, loader, clock, log }),
  }
}

/** What modules may need that the core has from outside. */
function offerOptions(loader: ModuleLoader, options: CoreOptions): void {
  loader.offer(Shards, { count: SHARD_COUNT, of: shardOf })
  loader.offer(Clock, options.clock)
  loader.offer(Random, options.random)
  loader.offer(Log, options.log)
  loader.offer(Metrics, options.metrics)
  loader.offer(Hasher, options.hasher)
  loader.offer(Load, options.load ?? idleLoad)
  loader.offer(LoginClients, options.clients)
  loader.offer(ServerControl, options.control)
}

/** Lets the module that knows who is to get a broadcast expand it, past the filters that each copy would have passed. */
function expandBroadcasts(router: CoreRouter, loader: ModuleLoader, hooks: HookChains): void {
  const fanOut = loader.find(PresenceFanOut)
  if (fanOut === undefined) return
  const filters = hooks.filter(inbound)
  const admission: Admission = {
    concerns: (account, stanza) => filters.concerns(account, stanza),
    admit: (event) => filters.run(event),
  }
  router.usePresenceEngine(
    (stanza, targets) => fanOut.deliver(stanza, targets, filters.handles('presence') ? admission : undefined),
    (to, answer) => fanOut.answered(to, answer),
  )
}

/** How answers find the member that asked. */
function answersOf(bus: Bus<ServerMessage>, carrier: Carrier): RequestMembers {
  return {
    own: bus.memberId,
    forward(member, stanza) {
      if (!carrier.others.includes(member)) return false
      bus.send(member, { kind: 'iq-answer', stanza })
      return true
    },
  }
}

function serverInfo(options: CoreOptions, loader: ModuleLoader, components: ComponentTable): ServerInfo {
  const admins = new Set(options.config.admins.map((admin) => parseJid(admin).bare.toString()))
  return {
    software: options.software.name,
    version: options.software.version,
    hosts: options.config.hosts,
    startedAt: options.clock.now(),
    contacts: options.config.contacts,
    features: (scope) => [...new Set(loader.loaded.flatMap((module) => module.features?.[scope] ?? []))].sort(),
    components: () => components.domains(),
    isAdmin: (jid) => admins.has(jid.bare.toString()),
  }
}

/** Deletes whatever is stored for an account that is no more. */
async function discard(account: Jid, storage: StorageBackend, log: Log): Promise<void> {
  try {
    await storage.write([{ op: 'owner-delete', owner: account.toString() }])
  } catch (error) {
    log.error('temporary-account-not-discarded', { account: account.toString(), error })
  }
}
