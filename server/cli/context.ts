/** What every command is given: the terminal, the modules, the server's composition. */
import type { AnyModule } from '@rollcall/module-api'
import type { Clock } from '@rollcall/ports'
import { controlClient, isAnswering } from '../admin/index.ts'
import type { Operations } from '../admin/index.ts'
import { CONFIG_VARIABLE, loadConfig, RollcallError } from '../config/index.ts'
import type { ServerConfig } from '../config/index.ts'
import type { Terminal } from '../runtime/terminal.ts'

/** Operations on a server's data that need no running server. */
export interface OfflineServer {
  readonly operations: Operations
  close(): Promise<void>
}

export interface CliPorts {
  readonly terminal: Terminal
  readonly clock: Clock
  readonly version: string
  readonly modules: readonly AnyModule[]
  /** Opens the storage that the configuration names, without listeners. */
  openOffline(config: ServerConfig): Promise<OfflineServer>
  /** Runs a server until it has stopped; `reloadConfig` reads the same configuration again. */
  serve(config: ServerConfig, reloadConfig: () => ServerConfig): Promise<void>
}

/** Options that every command about a server takes. */
export interface ServerOptions {
  readonly config?: string
  readonly data?: string
}

export function readConfig({ terminal, modules }: CliPorts, { config, data }: ServerOptions): ServerConfig {
  const file = config ?? terminal.env[CONFIG_VARIABLE]
  return loadConfig({ file, env: terminal.env, modules, ...(data === undefined ? {} : { dataDir: data }) })
}

/** Operations of the running server, or on its data when none runs. */
export async function withOperations<T>(ports: CliPorts, config: ServerConfig, use: (operations: Operations) => Promise<T>): Promise<T> {
  if (await isAnswering(config.controlSocket)) return withRunning(config, use)
  if (config.storage.kind === 'memory') {
    throw new RollcallError('not-running', 'the storage is in memory, so there are accounts only while the server runs')
  }
  const offline = await ports.openOffline(config)
  try {
    return await use(offline.operations)
  } finally {
    await offline.close()
  }
}

/** Operations of the running server; rejects with `not-running` when there is none. */
export async function withRunning<T>(config: ServerConfig, use: (operations: Operations) => Promise<T>): Promise<T> {
  const client = controlClient(config.controlSocket)
  try {
    return await use(client.operations)
  } finally {
    client.close()
  }
}
