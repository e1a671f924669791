/**
 * The end of a core: sessions first, then modules, each of which may have something to write.
 *
 * Every wait is bounded. A storage that hangs would hang for ever, and whoever waits for the process would kill it in the
 * end; what is not acknowledged to its sender by then was never promised.
 */
import type { Clock, Log } from '@rollcall/ports'
import type { AccountRegistry } from './account-registry.ts'
import type { Binding } from './binding.ts'
import type { LocalSession } from './entities.ts'
import type { ModuleLoader } from './module-loader.ts'
import type { Redelivery } from './redelivery.ts'
import type { StreamManagement } from './stream-management.ts'
import type { QueueEntry } from './unacked-queue.ts'

/** How long what sessions left may take to be stored, in ms. */
export const STOP_MESSAGES_MS = 10_000
/** How long modules may take to stop, in ms. */
export const STOP_MODULES_MS = 10_000
/** The most that stopping a core may take, in ms. */
export const STOP_WAITS_MS = STOP_MESSAGES_MS + STOP_MODULES_MS

export interface StopPorts {
  readonly registry: AccountRegistry
  readonly binding: Binding
  readonly redelivery: Redelivery
  readonly streams: StreamManagement
  readonly loader: ModuleLoader
  readonly clock: Clock
  readonly log: Log
}

/** Ends every session and stops the modules. What takes too long is logged and left behind. */
export async function stopCore(ports: StopPorts): Promise<void> {
  const { binding, loader, redelivery, registry, streams } = ports
  endSessions(registry, binding, redelivery)
  await within(ports, 'messages', STOP_MESSAGES_MS, redelivery.settled())
  streams.stop()
  registry.stop()
  await within(ports, 'modules', STOP_MODULES_MS, loader.stop())
}

function endSessions(registry: AccountRegistry, binding: Binding, redelivery: Redelivery): void {
  const unacked: [LocalSession, QueueEntry[]][] = []
  for (const account of [...registry.all()]) {
    // Taken from all sessions before the first one ends: nothing goes to another that ends as well.
    for (const session of account.sessions.values()) unacked.push([session, session.takeUnacked()])
    for (const session of [...account.sessions.values()]) binding.unbind(session, 'shutdown')
  }
  for (const [session, entries] of unacked) redelivery.take(session, entries)
}

/** Waits for `work`, `ms` at most; its failure within that time is the caller's. */
async function within({ clock, log }: StopPorts, step: 'messages' | 'modules', ms: number, work: Promise<void>): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = clock.after(ms, () => {
    log.error('stop-timed-out', { step, ms })
    resolve()
  })
  try {
    await Promise.race([work, over])
  } finally {
    timer.cancel()
  }
}
