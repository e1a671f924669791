/**
 * A server from start to end in its process: the member, its control socket, its admin listener, signals.
 *
 * It stops once, whoever asks: SIGTERM, SIGINT, `rollcall stop`, an administrator's command. SIGHUP and `rollcall reload`
 * read the configuration again; a mistake in it changes nothing and is told.
 */
import type { ServerControl } from '@rollcall/module-api'
import { createOperations, isAnswering } from './admin/index.ts'
import { RollcallError } from './config/index.ts'
import type { ServerConfig } from './config/index.ts'
import { listenToSignals, openDoors } from './doors.ts'
import type { Doors } from './doors.ts'
import { makeRuntime, operationsPorts, software, startServer } from './main.ts'
import type { RunningServer, Runtime } from './main.ts'
import type { Demand } from './rehearsal/pace.ts'
import { startRehearsal } from './rehearsal/rehearsal.ts'
import type { Rehearsal } from './rehearsal/rehearsal.ts'
import { coreCount, endpointText, giveMemoryBack, tuneCompiler } from './runtime/index.ts'
import type { Terminal } from './runtime/terminal.ts'
import { serveWorkers } from './serve-workers.ts'
import type { ServeOptions } from './serve-workers.ts'
import { welcomeText } from './welcome.ts'

/** Runs until the server has stopped; rejects when it cannot start, and then everything is closed again. */
export async function serve(options: ServeOptions): Promise<void> {
  tuneCompiler()
  const { config, reloadConfig, terminal } = options
  const count = config.workers === 0 ? coreCount() : config.workers
  if (count > 1) return serveWorkers(options, count)
  if (await isAnswering(config.controlSocket)) throw new RollcallError('already-running', `a server runs on ${config.dataDir} already`)
  const runtime = makeRuntime(config)
  const { log, clock } = runtime
  const memory = giveMemoryBack(runtime)
  const stopping = Promise.withResolvers<string>()
  const started: { server?: RunningServer } = {}
  const reload = async () => {
    if (started.server === undefined) throw new RollcallError('not-ready', 'the server is starting')
    await started.server.reload(reloadConfig())
    log.info('reloaded')
  }
  const control: ServerControl = { shutdown: (delayMs) => void clock.after(delayMs, () => stopping.resolve('command')), reload }
  let isDraining = false
  const server = await startServer(config, runtime, control)
  started.server = server
  const startedAt = clock.monotonic()
  const facts = () => ({ ...factsOf(server, config, terminal), uptimeSeconds: (clock.monotonic() - startedAt) / 1000 })
  const ports = { ...operationsPorts(server, config), facts, reload, shutdown: () => stopping.resolve('control-socket') }
  const reasons = () => (isDraining ? ['the server is stopping'] : overloadReasons(runtime))
  let doors: Doors | undefined
  let rehearsal: Rehearsal | undefined
  try {
    doors = await openDoors(config, runtime, createOperations(ports), { unreadyReasons: reasons, metrics: runtime.metrics })
    const unlisten = listenToSignals(terminal, runtime, stopping.resolve, reload)
    announce(config, server, doors, runtime)
    if (config.isDemo || terminal.isErrorTerminal) terminal.err(welcomeText(config, server.server.edge.listeners))
    if (config.isRehearsing) rehearsal = startRehearsal(config, { clock, log, demand: () => demandOf(server) })
    log.info('stopping', { asked: await stopping.promise })
    unlisten()
  } finally {
    isDraining = true
    memory.cancel()
    await Promise.all([server.stop(), rehearsal?.stop()])
    await doors?.close()
    await log.flush()
  }
}

/** Whether somebody needs the server more than a rehearsal does. */
function demandOf({ server: { core, edge }, runtime: { load } }: RunningServer): Demand {
  if (core.sessionCount > 0 || load.pressure() !== 'normal') return 'users'
  return edge.connectionCount > 0 ? 'somebody' : 'nobody'
}

/** In brown-out clients are still taken, later than usual. */
function overloadReasons({ load }: Runtime): string[] {
  return load.pressure() === 'refuse' ? [`the server is overloaded: ${load.reasons()}`] : []
}

function factsOf({ server }: RunningServer, config: ServerConfig, { pid, memoryBytes }: Terminal) {
  return {
    version: software.version, pid, hosts: config.core.hosts, sessionCount: server.core.sessionCount, memoryBytes: memoryBytes(),
    listeners: listenersOf(server),
  }
}

function listenersOf(server: RunningServer['server']): string[] {
  return server.edge.listeners.map(({ kind, address, port }) => `${kind} ${endpointText(address, port)}`)
}

function announce(config: ServerConfig, { server }: RunningServer, { admin }: Doors, { log }: Runtime): void {
  log.info('server-started', {
    version: software.version, hosts: config.core.hosts, listeners: listenersOf(server), dataDir: config.dataDir,
    ...(admin === undefined ? {} : { admin: endpointText(admin.address, admin.port) }),
  })
}
