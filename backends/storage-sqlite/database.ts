/**
 * The one file that knows node:sqlite: opening with every check, statements by text, and what its errors mean.
 *
 * The file is locked exclusively for as long as it is open. That is the guard against a second process, it survives no
 * crash (the kernel drops it), and it lets SQLite keep the WAL index in its own memory instead of a shared file.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { StorageError } from '@rollcall/ports'
import { APPLICATION_ID, migrations } from './migrations.ts'
import type { WireError, WorkerOptions } from './wire.ts'

/** SQLite's primary result codes. */
const SQLITE = { busy: 5, full: 13, cantopen: 14, constraint: 19, notadb: 26 } as const
const PAGE_BYTES = 4096
/** Pages in the WAL before a commit checkpoints: 16 MiB, so that a checkpoint's fsyncs are shared by many commits. */
const CHECKPOINT_PAGES = 4096
/** The WAL is cut back to this after a checkpoint. */
const WAL_BYTES_MAX = 67_108_864

/** SQLite's name for a database without a file. */
const IN_MEMORY = ':memory:'

const resultCode = (error: unknown): number | undefined =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined

/** What any throw means in the port's terms. */
export function toStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  const message = error instanceof Error ? error.message : String(error)
  switch (resultCode(error)) {
    case SQLITE.full:
      return new StorageError('full', `no space left for the database: ${message}`)
    case SQLITE.constraint:
      return new StorageError('conflict', message)
    default:
      return new StorageError('io', message)
  }
}

/** As `toStorageError`, ready for the other thread. */
export function toWireError(error: unknown): WireError {
  const { code, message } = toStorageError(error)
  return { code, message }
}

export class Database {
  readonly connection: DatabaseSync
  readonly #isFull: boolean
  readonly #statements = new Map<string, StatementSync>()

  constructor(options: WorkerOptions) {
    checkPlace(options.path)
    this.connection = open(options)
    this.#isFull = options.durability === 'full'
  }

  /** Runs a transaction whose commit need not be on the disk; the next one that must be takes it along. */
  relaxed(transaction: () => void): void {
    if (!this.#isFull) return transaction()
    this.connection.exec('PRAGMA synchronous = NORMAL')
    try {
      transaction()
    } finally {
      this.connection.exec('PRAGMA synchronous = FULL')
    }
  }

  /** The prepared statement for a text; rows come as arrays. The number of texts is fixed by the code, so this is bounded. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.connection.prepare(sql)
      statement.setReturnArrays(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  get isInTransaction(): boolean {
    return this.connection.isTransaction
  }

  /** Checkpoints and releases the lock. */
  close(): void {
    this.#statements.clear()
    this.connection.close()
  }
}

function checkPlace(path: string): void {
  if (path === IN_MEMORY) return
  const folder = dirname(path)
  if (!existsSync(folder)) throw new StorageError('io', `the folder ${folder} of the database does not exist: create it`)
  if (!statSync(folder).isDirectory()) throw new StorageError('io', `${folder} is not a folder`)
  const problem = (place: string): StorageError =>
    new StorageError('io', `${place} is not writable by this user: change its owner or its mode`)
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    throw problem(`the folder ${folder}`)
  }
  if (!existsSync(path)) return
  if (!statSync(path).isFile()) throw new StorageError('io', `${path} is not a file`)
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch {
    throw problem(path)
  }
}

function open(options: WorkerOptions): DatabaseSync {
  const { path } = options
  let connection: DatabaseSync | undefined
  try {
    connection = new DatabaseSync(path, { timeout: options.lockWaitMs })
    configure(connection, options)
    migrate(connection, path)
    return connection
  } catch (error) {
    connection?.close()
    switch (resultCode(error)) {
      case SQLITE.busy:
        throw new StorageError('busy', `the database ${path} is in use by another process: stop it first`)
      case SQLITE.notadb:
        throw new StorageError('io', `${path} is not a SQLite database`)
      case SQLITE.cantopen:
        throw new StorageError('io', `the database ${path} cannot be opened: ${toStorageError(error).message}`)
      default:
        throw error
    }
  }
}

function configure(connection: DatabaseSync, options: WorkerOptions): void {
  // Exclusive before the first access to the WAL: then it never makes a shared-memory file.
  connection.exec('PRAGMA locking_mode = EXCLUSIVE')
  connection.exec('PRAGMA journal_mode = WAL')
  connection.exec(`PRAGMA synchronous = ${options.durability === 'full' ? 'FULL' : 'NORMAL'}`)
  connection.exec(`PRAGMA cache_size = ${-Math.ceil(options.cacheBytes / 1024)}`)
  connection.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  connection.exec(`PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`)
  connection.exec('PRAGMA temp_store = MEMORY')
  if (options.databaseBytesMax !== undefined) {
    connection.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(options.databaseBytesMax / PAGE_BYTES))}`)
  }
}

function pragma(connection: DatabaseSync, name: string): number {
  return Number(Object.values(connection.prepare(`PRAGMA ${name}`).get() ?? {})[0])
}

function migrate(connection: DatabaseSync, path: string): void {
  connection.exec('BEGIN IMMEDIATE')
  const version = pragma(connection, 'user_version')
  const application = pragma(connection, 'application_id')
  const isNew = Number(Object.values(connection.prepare('SELECT count(*) FROM sqlite_schema').get()!)[0]) === 0
  if (!isNew && application !== APPLICATION_ID) {
    throw new StorageError('io', `${path} is a database of another program`)
  }
  if (version > migrations.length) {
    throw new StorageError(
      'io',
      `${path} has schema ${version}, and this version knows schemas up to ${migrations.length}: run the newer version that wrote it, or restore a backup`,
    )
  }
  for (const step of migrations.slice(version)) connection.exec(step)
  if (version < migrations.length) {
    connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    connection.exec(`PRAGMA user_version = ${migrations.length}`)
  }
  connection.exec('COMMIT')
}
