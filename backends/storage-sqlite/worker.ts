/** The database thread: opens the file, executes batches as they come, makes backups beside them, closes. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { StorageError } from '@rollcall/ports'
import { Database, toWireError } from './database.ts'
import { Engine } from './engine.ts'
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

async function backUp(database: Database, path: string): Promise<void> {
  if (existsSync(path)) throw new StorageError('conflict', `${path} exists: a backup never overwrites`)
  if (!existsSync(dirname(path))) throw new StorageError('io', `the folder ${dirname(path)} of the backup does not exist`)
  const partial = `${path}.partial`
  rmSync(partial, { force: true })
  try {
    await backup(database.connection, partial, { rate: BACKUP_STEP_PAGES })
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
  const startBackup = (serial: number, path: string): void => {
    backups = backups
      .then(() => backUp(database, path))
      .then(
        () => report({ tell: 'backup', serial }),
        (error: unknown) => report({ tell: 'backup', serial, error: toWireError(error) }),
      )
  }
  const closeAfter = async (work: Promise<void>): Promise<void> => {
    await work
    database.close()
    report({ tell: 'closed' })
    port.close()
  }
  port.on('message', (message: Cell[] | Control) => {
    if (Array.isArray(message)) return port.postMessage(engine.run(message))
    if (message.ask === 'backup') return startBackup(message.serial, message.path)
    void closeAfter(backups)
  })
  report({ tell: 'open' })
}

main()
