/** Ways to a server for its operators: control socket, admin listener, signals. */
import { createControlServer, openAdminListener } from './admin/index.ts'
import type { AdminListener, ControlServer, HealthPorts, Operations } from './admin/index.ts'
import type { ServerConfig } from './config/index.ts'
import type { Runtime } from './main.ts'
import type { Terminal } from './runtime/terminal.ts'

export interface Doors {
  readonly control: ControlServer
  readonly admin: AdminListener | undefined
  close(): Promise<void>
}

/** Opens control socket and admin listener; rejects with both closed. */
export async function openDoors(config: ServerConfig, { log }: Runtime, operations: Operations, health: HealthPorts): Promise<Doors> {
  const control = await createControlServer({ path: config.controlSocket, operations, log })
  try {
    const { isEnabled, address, port } = config.admin
    const admin = isEnabled ? await openAdminListener(address, port, health) : undefined
    // The admin listener closes last, so that a server that stops is seen to be unready and not to be gone.
    return { control, admin, close: async () => void (await Promise.all([control.close(), admin?.close()])) }
  } catch (error) {
    await control.close()
    throw error
  }
}

/** SIGTERM and SIGINT stop, SIGHUP reloads, until the returned function is called. */
export function listenToSignals(terminal: Terminal, { log }: Runtime, stop: (why: string) => void, reload: () => Promise<void>): () => void {
  const unlistenStop = terminal.onSignal(['SIGINT', 'SIGTERM'], stop)
  const unlistenReload = terminal.onSignal(['SIGHUP'], () => {
    reload().catch((error: unknown) => log.error('reload-failed', { error }))
  })
  return () => {
    unlistenStop()
    unlistenReload()
  }
}
