/**
 * One member: an edge and a core on one bus, from a configuration and the ports it is given.
 *
 * Everything real (clock, randomness, storage, bus) comes from the caller, so that this is the same server in a process,
 * in a test and in a simulation.
 */
import type { AnyModule, ServerControl } from '@rollcall/module-api'
import type { Bus, Clock, Hasher, Load, Log, MemberId, Metrics, Random, StorageBackend } from '@rollcall/ports'
import type { SaslCrypto } from '@rollcall/stream'
import { createAuthService } from './core/auth/index.ts'
import type { AuthConfig, AuthService } from './core/auth/index.ts'
import type { CoreConfig } from './core/config.ts'
import { createCore } from './core/core.ts'
import type { Core } from './core/core.ts'
import type { EdgeConfig } from './edge/config.ts'
import { createEdge } from './edge/edge.ts'
import type { Edge } from './edge/edge.ts'
import type { Passage } from './edge/guest.ts'
import type { HttpRoute } from './edge/http-routes.ts'
import type { CoreToEdge, ServerMessage } from './protocol/messages.ts'
import { singleMember } from './protocol/placement.ts'
import { joinMembers } from './workers/join.ts'

export interface ServerParts {
  readonly edgeConfig: EdgeConfig
  readonly coreConfig: CoreConfig
  readonly authConfig: AuthConfig
  readonly software: { readonly name: string; readonly version: string }
  readonly modules: readonly AnyModule[]
  readonly routes: readonly HttpRoute[]
  readonly bus: Bus<ServerMessage>
  readonly storage: StorageBackend
  readonly clock: Clock
  readonly random: Random
  readonly crypto: SaslCrypto
  readonly hasher: Hasher
  /** An idle one when left out. */
  readonly load?: Load
  readonly log: Log
  readonly metrics: Metrics
  readonly control: ServerControl
  /** Left out where there is one member. */
  readonly cluster?: Cluster
}

/** The surroundings of a member among several (ADR 0012). */
export interface Cluster {
  /** Who leads changes of the shard map. */
  readonly coordinator: MemberId
  /** Answers requests that are neither for edge nor core; undefined for any other. */
  readonly answer?: (from: MemberId, message: ServerMessage) => Promise<unknown> | undefined
  /** Left out where clients stay where they were accepted. */
  readonly passage?: Passage
}

export interface Server {
  readonly edge: Edge
  readonly core: Core
  readonly auth: AuthService
  /** Opens the listeners. */
  start(): Promise<void>
  /**
   * Graceful end: clients are told and given time to read, sessions end in order, what modules hold is written.
   * Storage stays open: it belongs to the caller.
   */
  stop(): Promise<void>
}

/** Messages to edges; everything else on the bus is for the core. */
const edgeMessages: ReadonlySet<string> = new Set<CoreToEdge['kind'] | 'address-failed'>([
  'address-failed',
  'deliver', 'deliver-presence', 'deliver-echo', 'deliver-broadcast', 'close-stream', 'host-info-changed', 'session-state',
])

/** Builds the member and sets up its modules; nothing listens before `start`. */
export async function createServer(parts: ServerParts): Promise<Server> {
  const { bus, clock, log, metrics, random, storage } = parts
  const { cluster } = parts
  const joined = cluster === undefined ? undefined : joinMembers({
    bus, clock, random, log, metrics, coordinator: cluster.coordinator, core: () => core, edge: () => edge,
  })
  const placement = joined === undefined ? singleMember(bus.memberId) : joined.table
  const load = parts.load === undefined ? {} : { load: parts.load }
  const auth = createAuthService({ storage, crypto: parts.crypto, clock, random, config: parts.authConfig, log, metrics })
  const core = await createCore({
    config: parts.coreConfig, software: parts.software, modules: parts.modules,
    bus, placement, storage, clock, random, log, metrics, credentials: auth, auth, clients: auth.clients, control: parts.control, hasher: parts.hasher,
    ...load,
    ...(joined === undefined || cluster === undefined ? {} : { members: { carrier: joined.links, coordinator: cluster.coordinator } }),
  })
  const edge = createEdge({
    config: parts.edgeConfig, routes: parts.routes, bus, placement, clock, random, log, metrics, crypto: parts.crypto, ...load,
    ...(joined === undefined ? {} : { carrier: joined.links }),
    ...(cluster?.passage === undefined ? {} : { passage: cluster.passage }),
  })
  bus.attach({
    receive: (from: MemberId, message: ServerMessage) => {
      if (edgeMessages.has(message.kind)) edge.receive(from, message)
      else if (joined?.membership.receive(from, message) !== true) void core.service.receive(from, message)
    },
    answer: (from, message) => cluster?.answer?.(from, message) ?? edge.answer(message) ?? core.service.answer(from, message),
  })
  return {
    edge, core, auth,
    start: () => edge.start(),
    async stop() {
      await edge.drain()
      await core.stop()
      await edge.stop()
      await auth.settled()
    },
  }
}
