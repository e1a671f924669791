/**
 * Composition: the only file that names modules and backends, and the only one that makes the real ports.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineModule } from '@rollcall/module-api'
import type { AnyModule, ServerControl } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { WebPushSender } from '@rollcall/ports'
import type { Clock, Json, MemberId, Metrics, StorageBackend, WriteOp } from '@rollcall/ports'
import { chatRoutes } from '../apps/chat/routes.ts'
import { createLocalBus } from '../backends/bus-local/index.ts'
import { createSocketBus } from '../backends/bus-socket/index.ts'
import type { PeerEvent, SocketBus } from '../backends/bus-socket/index.ts'
import { MemoryStorage } from '../backends/storage-memory/index.ts'
import { RemoteStorage, serveStorage } from '../backends/storage-remote/index.ts'
import { SqliteStorage } from '../backends/storage-sqlite/index.ts'
import { createWebPushSender } from '../backends/web-push/index.ts'
import { waitingData } from '../modules/archive/user-data.ts'
import { blockListData } from '../modules/blocking/user-data.ts'
import { privateXmlData } from '../modules/private-storage/user-data.ts'
import { Roster, rosterRows, rosterStore } from '../modules/roster/port.ts'
import { cardData } from '../modules/vcard/user-data.ts'
import { blockSection, createOperations, offlineSection, privateXmlSection, rosterSection, vcardSection } from './admin/index.ts'
import type { OperationsPorts, UserSection } from './admin/index.ts'
import { RollcallError } from './config/index.ts'
import type { ServerConfig, StorageConfig } from './config/index.ts'
import type { Core } from './core/core.ts'
import type { OfflineServer } from './cli/index.ts'
import { demoAccounts, ensureDemo } from './demo.ts'
import { modules } from './modules.generated.ts'
import { serverCodec } from './protocol/codec.ts'
import type { ServerMessage } from './protocol/messages.ts'
import { HostSecrets } from './core/auth/index.ts'
import { nodeCrypto } from './runtime/crypto.ts'
import { nodeHasher } from './runtime/hasher.ts'
import { createLog, createMetrics, loopShare, MemberLoad, realClock, realRandom, serverSignals, turnHistogram, TurnLoad } from './runtime/index.ts'
import type { RuntimeLog, RuntimeMetrics } from './runtime/index.ts'
import { createServer } from './server.ts'
import type { Cluster, Server } from './server.ts'
import type { Seat } from './workers/messages.ts'

export { modules }

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string }

/** What the server calls itself (XEP-0092). */
export const software = { name: 'Rollcall', version: manifest.version }

const MEMBER = 'member-1'

/** The storage that the configuration names, not yet open. */
export function makeStorage(config: StorageConfig, clock: Clock, metrics?: Metrics): StorageBackend {
  if (config.kind === 'memory') return new MemoryStorage()
  const { path, durability, cacheBytes, databaseBytesMax } = config
  return new SqliteStorage({
    path, clock, durability, cacheBytes,
    ...(metrics === undefined ? {} : { metrics }),
    ...(databaseBytesMax === undefined ? {} : { databaseBytesMax }),
  })
}

/** Storage rows of rosters whose contacts are mutual, for imports. */
export function rosterOps(clock: Clock): (account: Jid, contacts: readonly Jid[]) => readonly WriteOp[] {
  return (account, contacts) => rosterRows(contacts, clock.now()).map(([key, row]) => {
    // A row is JSON by its declaration; its interface type cannot say so.
    const value = row as unknown as Json
    return { op: 'map-set', store: rosterStore.storeName, owner: account.toString(), key, value }
  })
}

/** The ports of one process. */
export interface Runtime {
  readonly log: RuntimeLog
  readonly clock: Clock
  readonly metrics: RuntimeMetrics
  readonly load: MemberLoad
}

/** `member`: which of several this is. */
export function makeRuntime(config: ServerConfig, member?: string): Runtime {
  const isPretty = config.log.format === 'text' ? true : config.log.format === 'json' ? false : undefined
  const log = createLog({
    level: config.log.level, ...(isPretty === undefined ? {} : { isPretty }), ...(member === undefined ? {} : { fields: { member } }),
  })
  return runtimeOf(config, log, createMetrics())
}

function runtimeOf(config: ServerConfig, log: RuntimeLog, metrics: RuntimeMetrics): Runtime {
  const clock = realClock(log)
  const lengths = turnHistogram(metrics)
  const turns = new TurnLoad(clock, loopShare(), (turnMs) => lengths.observe(turnMs / 1000))
  return { log, clock, metrics, load: new MemberLoad({ clock, log, metrics, calmMs: config.pressure.calmMs, turns }) }
}

/** A server that is up: listeners open, storage open. */
export interface RunningServer {
  readonly server: Server
  readonly storage: StorageBackend
  readonly runtime: Runtime
  /** New hosts' certificates, limits and log level; listeners and modules stay. Rejects and keeps the old on error. */
  reload(config: ServerConfig): Promise<void>
  /** Graceful end, storage included. Idempotent. */
  stop(): Promise<void>
}

/** Opens storage, builds the member and its modules, makes the demo accounts if asked, and opens the listeners. */
export async function startServer(config: ServerConfig, runtime: Runtime, control: ServerControl): Promise<RunningServer> {
  const { clock, metrics } = runtime
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const storage = makeStorage(config.storage, clock, metrics)
  await storage.open()
  try {
    const server = await buildServer(config, runtime, storage, control)
    if (config.isDemo) await ensureDemo(storage, clock, config.core.hosts[0] ?? 'localhost', rosterOps(clock))
    const queuedOperations = () => (storage instanceof SqliteStorage ? storage.queuedOps : 0)
    return await startMember(server, config, runtime, storage, queuedOperations)
  } catch (error) {
    await storage.close()
    throw error
  }
}

async function startMember(
  server: Server, config: ServerConfig, runtime: Runtime, storage: StorageBackend, queuedOperations: () => number,
): Promise<RunningServer> {
  const { clock, load } = runtime
  const signals = serverSignals(config.pressure, { clock, turns: load, queuedBytes: () => server.edge.queuedBytes, queuedOperations })
  for (const signal of signals) load.watch(signal)
  load.watchLine(() => server.edge.lineMs)
  load.start()
  await server.start()
  return running(server, storage, runtime)
}

// ---------------------------------------------------------------------------------------------- several workers (ADR 0012)

/** The member that supervises the others. */
export const SUPERVISOR = 'primary'

/** What the processes of a server share. */
export interface Workshop {
  readonly storage: StorageBackend
  readonly bus: SocketBus<ServerMessage>
  close(): Promise<void>
}

/** Told of each worker's lines: to the supervisor's bus, and to the storage. */
export type OnLine = (line: 'bus' | 'storage', memberId: MemberId, isThere: boolean) => void

/** Opens the storage and serves it to workers, which find it and each other in `directory`. The bus is for the caller to open. */
export async function openWorkshop(config: ServerConfig, runtime: Runtime, directory: string, onLine: OnLine): Promise<Workshop> {
  const { clock, log, metrics } = runtime
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const storage = makeStorage(config.storage, clock, metrics)
  await storage.open()
  try {
    // What exists once per host is made before two workers can make it at the same time.
    const secrets = new HostSecrets(storage, nodeCrypto, config.auth.hosts)
    for (const host of config.auth.hosts) await secrets.derive(host, 'made')
    if (config.isDemo) await ensureDemo(storage, clock, config.core.hosts[0] ?? 'localhost', rosterOps(clock))
    const bootId = realRandom().id()
    const server = await serveStorage({
      backend: storage, directory: storageFolder(directory), bootId, clock, log,
      onClient: (memberId, isThere) => onLine('storage', memberId, isThere),
    })
    const bus = createSocketBus({
      memberId: SUPERVISOR, bootId, directory: busFolder(directory), codec: serverCodec, clock, log, metrics,
      onPeer: ({ kind, peer }) => onLine('bus', peer.memberId, kind === 'up'),
    })
    return {
      storage, bus,
      async close() {
        await bus.close()
        await server.close()
        await storage.close()
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** A worker that is up, and its line to the others. */
export interface RunningWorker extends RunningServer {
  readonly bus: SocketBus<ServerMessage>
}

/** Takes the seat: connects to storage and the other members, and opens the listeners. It owns nothing yet. */
export async function startWorker(
  config: ServerConfig, runtime: Runtime, seat: Seat, control: ServerControl, onPeer: (event: PeerEvent) => void, cluster: Omit<Cluster, 'coordinator'>,
): Promise<RunningWorker> {
  const { clock, log, metrics } = runtime
  const { bootId, directory, memberId } = seat
  const storage = new RemoteStorage({ memberId, bootId, directory: storageFolder(directory), clock, log, metrics })
  await storage.open()
  const bus = createSocketBus({ memberId, bootId, directory: busFolder(directory), codec: serverCodec, clock, log, metrics, onPeer })
  const server = await buildServer(config, runtime, storage, control, { bus, cluster: { coordinator: SUPERVISOR, ...cluster } })
  await bus.open()
  const started = await startMember(server, config, runtime, storage, () => storage.queuedOps)
  return { ...started, bus }
}

function storageFolder(directory: string): string {
  return join(directory, 'store')
}

function busFolder(directory: string): string {
  return join(directory, 'bus')
}

// ----------------------------------------------------------------------------------------------

interface Among {
  readonly bus: SocketBus<ServerMessage>
  readonly cluster: Cluster
}

function buildServer(config: ServerConfig, runtime: Runtime, storage: StorageBackend, control: ServerControl, among?: Among): Promise<Server> {
  const { log, clock, load, metrics } = runtime
  const bus = among?.bus ?? createLocalBus({ clock, log, metrics }).member<ServerMessage>(MEMBER)
  return createServer({
    ...(among === undefined ? {} : { cluster: among.cluster }),
    edgeConfig: config.edge, coreConfig: config.core, authConfig: config.auth, software, modules: [...modules, webPushSender(clock)],
    routes: chatRoutes(() => chatSettings(config)),
    bus, storage, clock, random: realRandom(), crypto: nodeCrypto, hasher: nodeHasher, load, log, metrics, control,
  })
}

/** Gives the web-push module its way out. */
function webPushSender(clock: Clock): AnyModule {
  return defineModule({
    name: 'web-push-sender',
    summary: 'Reaches the push services of browsers.',
    implements: [],
    provides: [WebPushSender],
    setup: ({ provide }) => provide(WebPushSender, createWebPushSender({ clock, random: realRandom() })),
  })
}

function running(server: Server, storage: StorageBackend, runtime: Runtime): RunningServer {
  let stopped: Promise<void> | undefined
  return {
    server, storage, runtime,
    async reload(config) {
      await server.edge.reload(config.edge)
      runtime.log.setLevel(config.log.level)
    },
    stop: () => stopped ??= stopAll(server, storage, runtime),
  }
}

async function stopAll(server: Server, storage: StorageBackend, { load, log }: Runtime): Promise<void> {
  await server.stop()
  load.stop()
  await storage.close()
  log.info('server-stopped')
}

function chatSettings(config: ServerConfig) {
  const isOpen = config.core.modules['registration']?.['isOpen'] === true
  return {
    host: config.core.hosts[0] ?? 'localhost',
    websocketPath: config.edge.http.websocket.path,
    isRegistrationOpen: isOpen,
    ...(config.isDemo ? { demo: { accounts: demoAccounts, howToTurnOff: 'demo: off' } } : {}),
  }
}

/** What import and export of accounts (XEP-0227) carry: the data of the modules that are on. */
function userSections(core: Core, storage: StorageBackend, clock: Clock): UserSection[] {
  const roster = core.find(Roster)
  const byModule: Readonly<Record<string, () => UserSection>> = {
    'vcard': () => vcardSection(cardData(storage)),
    'private-storage': () => privateXmlSection(privateXmlData(storage)),
    'blocking': () => blockSection(blockListData(storage)),
    'archive': () => offlineSection(waitingData(storage, clock, realRandom())),
  }
  const sections = core.modules.flatMap(({ name }) => (Object.hasOwn(byModule, name) ? [byModule[name]?.()] : []))
  return [...(roster === undefined ? [] : [rosterSection(roster)]), ...sections.filter((section) => section !== undefined)]
}

/** What operations work on. */
type DataPorts = Omit<OperationsPorts, 'facts' | 'reload' | 'shutdown'>

function dataPorts({ core, auth }: Pick<Server, 'core' | 'auth'>, storage: StorageBackend, clock: Clock, config: ServerConfig): DataPorts {
  return {
    accounts: core.admin, live: core.accounts, auth, storage, clock, crypto: nodeCrypto, sections: userSections(core, storage, clock),
    authConfig: () => config.auth, rosterRows: rosterOps(clock),
  }
}

/** A server for a rehearsal: the parts of the real one, with metrics and a log that nobody reads. */
export function makeThrowAway(config: ServerConfig, storage: StorageBackend): Promise<Server> {
  const log = createLog({ level: config.log.level, destination: { write: () => {} } })
  const runtime = runtimeOf(config, log, createMetrics({ hasProcessMetrics: false }))
  return buildServer(config, runtime, storage, { shutdown: () => {}, reload: () => Promise.resolve() })
}

/** What the operations of a running server work on. */
export function operationsPorts({ server, storage, runtime }: RunningServer, config: ServerConfig): DataPorts {
  return dataPorts(server, storage, runtime.clock, config)
}

/** The core on its storage without listeners, for commands while no server runs. Only what goes wrong is logged. */
export async function openOffline(config: ServerConfig): Promise<OfflineServer> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const log = createLog({ level: 'error' })
  const runtime = runtimeOf(config, log, createMetrics({ hasProcessMetrics: false }))
  const storage = makeStorage(config.storage, runtime.clock)
  await storage.open()
  const refuse = () => {
    throw new RollcallError('not-running', 'no server runs on this data folder')
  }
  const server = await buildServer(config, runtime, storage, { shutdown: refuse, reload: refuse })
  return {
    operations: createOperations({ ...dataPorts(server, storage, runtime.clock, config), facts: refuse, reload: refuse, shutdown: refuse }),
    async close() {
      await server.core.stop()
      await server.auth.settled()
      await storage.close()
      await log.flush()
    },
  }
}
