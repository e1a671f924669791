/**
 * A server of several workers from start to end: this process supervises them, keeps the storage, and is where operators come
 * (ADR 0012). It has no edge and no core.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { isAnswering } from './admin/index.ts'
import { RollcallError } from './config/index.ts'
import type { ServerConfig } from './config/index.ts'
import { listenToSignals, openDoors } from './doors.ts'
import type { Doors } from './doors.ts'
import { makeRuntime, openWorkshop, software } from './main.ts'
import type { Runtime, Workshop } from './main.ts'
import { endpointText, forkChild, giveMemoryBack, realRandom } from './runtime/index.ts'
import type { Terminal } from './runtime/terminal.ts'
import { welcomeText } from './welcome.ts'
import { Coordinator } from './workers/coordinator.ts'
import { mergeMetrics } from './workers/metrics-text.ts'
import { workerOperations } from './workers/operations.ts'
import { Supervisor } from './workers/supervisor.ts'

export interface ServeOptions {
  readonly config: ServerConfig
  /** Reads the same configuration again; throws `ConfigError`. */
  readonly reloadConfig: () => ServerConfig
  readonly terminal: Terminal
}

const WORKER_ENTRY = new URL('./worker.ts', import.meta.url)
/**
 * For what other workers have not confirmed, which lives for a few turns (`bench/results/workers-tried.txt`). In the 4 MiB for short-lived
 * objects of a single process (`tools/rollcall.mjs`) it would be copied, and moved to the old generation, again and again. And V8,
 * which sees much of it survive one collection, comes to allocate it in the old generation from the start: there every letter
 * keeps its stanza until the next full collection, of which there were three a second.
 */
const WORKER_FLAGS = ['--max-semi-space-size=16', '--no-allocation-site-pretenuring']
/** A worker that does not answer is left out of a scrape. */
const METRICS_TIMEOUT_MS = 5_000

/** Runs until the server has stopped; rejects when it cannot start, and then everything is closed again. */
export async function serveWorkers({ config, reloadConfig, terminal }: ServeOptions, count: number): Promise<void> {
  if (await isAnswering(config.controlSocket)) throw new RollcallError('already-running', `a server runs on ${config.dataDir} already`)
  if (config.edge.listeners.some(({ port }) => port === 0)) {
    throw new RollcallError('config-conflict', 'several workers cannot listen on port 0: name a port, or use one worker')
  }
  const runtime = makeRuntime(config, 'primary')
  const memory = giveMemoryBack(runtime)
  const stopping = Promise.withResolvers<string>()
  const shop = await openShop(config, runtime, count, stopping.resolve, reloadConfig)
  const { coordinator, reload, supervisor, workshop } = shop
  let doors: Doors | undefined
  let isDraining = false
  try {
    await supervisor.start()
    const startedAt = runtime.clock.monotonic()
    const operations = workerOperations({
      bus: workshop.bus, storage: workshop.storage, members: () => coordinator.members, ownerOf: (account) => coordinator.ownerOf(account), reload,
      facts: () => ({ ...factsOf(config, supervisor, terminal), uptimeSeconds: (runtime.clock.monotonic() - startedAt) / 1000 }),
      shutdown: () => void runtime.clock.after(SHUTDOWN_DELAY_MS, () => stopping.resolve('control-socket')),
    })
    const unreadyReasons = () => (isDraining ? ['the server is stopping'] : coordinator.members.length === 0 ? ['no worker is there'] : [])
    doors = await openDoors(config, runtime, operations, { unreadyReasons, metrics: mergedMetrics(runtime, workshop, coordinator) })
    const unlisten = listenToSignals(terminal, runtime, stopping.resolve, reload)
    announce(config, supervisor, doors, runtime, count)
    if (config.isDemo || terminal.isErrorTerminal) terminal.err(welcomeText(config, supervisor.listeners))
    runtime.log.info('stopping', { asked: await stopping.promise })
    unlisten()
  } finally {
    isDraining = true
    memory.cancel()
    coordinator.stop()
    await supervisor.stop()
    await workshop.close()
    await doors?.close()
    runtime.log.info('server-stopped')
    await runtime.log.flush()
  }
}

/** Long enough for the answer to leave. */
const SHUTDOWN_DELAY_MS = 100

interface Shop {
  readonly workshop: Workshop
  readonly coordinator: Coordinator
  readonly supervisor: Supervisor
  readonly reload: () => Promise<void>
}

async function openShop(
  config: ServerConfig, runtime: Runtime, count: number, stop: (why: string) => void, reloadConfig: () => ServerConfig,
): Promise<Shop> {
  const { clock, log } = runtime
  // Sockets that a crash left behind; nobody else uses the folder, since no server answers on it.
  const directory = join(config.dataDir, 'run')
  rmSync(directory, { recursive: true, force: true })
  const workshop = await openWorkshop(config, runtime, directory, (line, memberId, isThere) => supervisor.line(line, memberId, isThere))
  const reload = async () => {
    const next = reloadConfig()
    await supervisor.reload(next)
    log.setLevel(next.log.level)
    log.info('reloaded')
  }
  const coordinator = new Coordinator({ bus: workshop.bus, clock, log, stuck: (member) => supervisor.kill(member) })
  const supervisor: Supervisor = new Supervisor(config, {
    runtime, count, directory, coordinator, reload,
    newId: () => realRandom().id(),
    fork: () => forkChild(WORKER_ENTRY, WORKER_FLAGS),
    shutdown: (delayMs) => void clock.after(delayMs, () => stop('command')),
  })
  workshop.bus.attach({
    receive: (from, message) => {
      if (!coordinator.receive(from, message)) log.warn('bus-message-ignored', { kind: message.kind, from })
    },
    // Workers that start ask for no host, to see whether they are heard.
    answer: async (_from, { kind }) => {
      if (kind !== 'host-info') throw new Error(`The supervisor does not answer '${kind}'`)
    },
  })
  try {
    await workshop.bus.open()
  } catch (error) {
    await workshop.close()
    throw error
  }
  return { workshop, coordinator, supervisor, reload }
}

function mergedMetrics({ metrics, log }: Runtime, { bus }: Workshop, coordinator: Coordinator) {
  return {
    contentType: metrics.contentType,
    async text(): Promise<string> {
      const texts = new Map([['primary', await metrics.text()]])
      await Promise.all(coordinator.members.map(async (member) => {
        try {
          // Lives of one worker are one series: `worker-2.3` is the third life of `worker-2`.
          texts.set(member.split('.')[0] as string, await bus.request(member, { kind: 'metrics' }, METRICS_TIMEOUT_MS) as string)
        } catch (error) {
          log.warn('metrics-missing', { worker: member, error })
        }
      }))
      return mergeMetrics(texts)
    },
  }
}

function factsOf(config: ServerConfig, supervisor: Supervisor, { pid, memoryBytes }: Terminal) {
  return { version: software.version, pid, hosts: config.core.hosts, memoryBytes: memoryBytes(), listeners: listenersOf(supervisor) }
}

function listenersOf({ listeners }: Supervisor): string[] {
  return listeners.map(({ kind, address, port }) => `${kind} ${endpointText(address, port)}`)
}

function announce(config: ServerConfig, supervisor: Supervisor, { admin }: Doors, { log }: Runtime, count: number): void {
  log.info('server-started', {
    version: software.version, hosts: config.core.hosts, workers: count, listeners: listenersOf(supervisor), dataDir: config.dataDir,
    ...(admin === undefined ? {} : { admin: endpointText(admin.address, admin.port) }),
  })
}
