/**
 * The database thread: opens the file, executes batches as they come, makes backups beside them, closes.
 *
 * A step of a backup runs on another thread, over the same connection. Nothing else may use the connection meanwhile, or
 * either of the two fails now and then; so while a backup is made, batches wait for the pause after its present step.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { StorageError } from '@rollcall/ports'
import { Database, toWireError } from './database.ts'
import { Engine } from './engine.ts'
import { Tidier } from './tidier.ts'
import type { Cell, Control, Report, WorkerOptions } from './wire.ts'

/** Pages copied per step of a backup: 1 MiB, a few ms, after which waiting batches have their turn. */
const BACKUP_STEP_PAGES = 256

function syncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** `pause` is called after each step: the only moments at which others may use the connection. */
async function backUp(database: Database, path: string, pause: () => void): Promise<void> {
  if (existsSync(path)) throw new StorageError('conflict', `${path} exists: a backup never overwrites`)
  if (!existsSync(dirname(path))) throw new StorageError('io', `the folder ${dirname(path)} of the backup does not exist`)
  const partial = `${path}.partial`
  rmSync(partial, { force: true })
  try {
    await backup(database.connection, partial, { rate: BACKUP_STEP_PAGES, progress: pause })
    syncPath(partial)
    // Only a whole copy ever has the name that was asked for.
    renameSync(partial, path)
    syncPath(dirname(path))
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

function main(): void {
  const port = parentPort
  if (!port) throw new Error('the SQLite worker runs in a worker thread only')
  const report = (message: Report): void => port.postMessage(message)
  let database: Database
  try {
    database = new Database(workerData as WorkerOptions)
  } catch (error) {
    report({ tell: 'open', error: toWireError(error) })
    return port.close()
  }
  const engine = new Engine(database)
  let backups: Promise<void> = Promise.resolve()
  let isBackingUp = false
  let isClosed = false
  const waiting: Cell[][] = []
  const tidier = new Tidier(engine, () => !isBackingUp && !isClosed)
  const runWaiting = (): void => {
    for (const batch of waiting.splice(0)) port.postMessage(engine.run(batch))
    tidier.soon()
  }
  const makeBackup = async (path: string): Promise<void> => {
    isBackingUp = true
    try {
      await backUp(database, path, runWaiting)
    } finally {
      isBackingUp = false
      runWaiting()
    }
  }
  const startBackup = (serial: number, path: string): void => {
    backups = backups
      .then(() => makeBackup(path))
      .then(
        () => report({ tell: 'backup', serial }),
        (error: unknown) => report({ tell: 'backup', serial, error: toWireError(error) }),
      )
  }
  const closeAfter = async (work: Promise<void>): Promise<void> => {
    await work
    isClosed = true
    try {
      engine.settle()
    } catch {
      // What stays in the journal is read when the file is opened again.
    }
    tidier.close()
    database.close()
    report({ tell: 'closed' })
    port.close()
  }
  port.on('message', (message: Cell[] | Control) => {
    if (Array.isArray(message)) {
      waiting.push(message)
      if (!isBackingUp) runWaiting()
      return
    }
    if (message.ask === 'backup') return startBackup(message.serial, message.path)
    void closeAfter(backups)
  })
  report({ tell: 'open' })
  tidier.soon()
}

main()
