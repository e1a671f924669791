/**
 * Storage in one SQLite file, executed by one thread beside the event loop.
 *
 * Calls made in one turn of the event loop become one message, one transaction, one commit (group commit), one reply. While
 * the thread works the next calls gather, so under load commits grow instead of queueing up. Order: batches and the calls in
 * them are executed in the order in which they were made. Crash: a write has resolved only when its commit is on the disk
 * (with `durability: 'normal'`, only when it survives the death of the process, not the loss of power).
 *
 * Bounded: at most `queueOpsMax` operations wait; beyond that calls reject with `StorageError('busy')`.
 */
import { Worker } from 'node:worker_threads'
import { FlatRows, StorageError, checkAppend, checkLimit, checkWriteOps, jsonText } from '@rollcall/ports'
import type {
  ArchiveEntry, ArchivePage, ArchiveQuery, Clock, CounterMetric, HistogramMetric, Json, Metrics, Owner, Rows, StorageBackend, WholeStore, WriteOp,
} from '@rollcall/ports'
import { CALL, STATUS, encodeOp } from './wire.ts'
import type { Cell, Control, Report, WireError, WorkerOptions } from './wire.ts'

export interface SqliteOptions {
  /** The database file; its folder must exist. `:memory:`: without a file, and gone when it is closed. */
  readonly path: string
  readonly clock: Pick<Clock, 'soon' | 'monotonic'>
  readonly metrics?: Metrics
  /** `full` (the default): a commit survives power loss. `normal`: power loss may take the last commits, never the file. */
  readonly durability?: 'full' | 'normal'
  /** Memory for pages of the file; 64 MiB unless told. */
  readonly cacheBytes?: number
  /** The file grows no larger: writes beyond reject with `StorageError('full')`. Unlimited unless told. */
  readonly databaseBytesMax?: number
  /** How long `open` waits for another process to let go of the file; 2 s unless told. */
  readonly lockWaitMs?: number
  /** Operations that may wait for the thread before calls are refused; 100,000 unless told. */
  readonly queueOpsMax?: number
}

/** One commit takes no more operations than this, so that a commit stays within about 50 ms. */
const BATCH_OPS_MAX = 8192
/** One batch executes while the next one waits at the thread: no idle time between commits. */
const BATCHES_IN_FLIGHT_MAX = 2

interface Waiter {
  /** Makes the result of the cell; what it throws rejects. */
  decode(cell: Cell): unknown
  resolve(result: unknown): void
  reject(error: unknown): void
}
class Batch {
  readonly cells: Cell[] = []
  readonly waiters: Waiter[] = []
  opCount = 0
  /** Appends that are one call so far: where its count stands, and its promise. */
  group: { readonly countAt: number; readonly promise: Promise<void> } | undefined = undefined
  sentAtMs = 0
}
interface Meters {
  readonly ops: CounterMetric
  readonly refused: CounterMetric
  readonly batchOps: HistogramMetric
  readonly batchSeconds: HistogramMetric
}

function makeMeters(metrics: Metrics, queueOps: () => number): Meters {
  metrics.observedGauge('rollcall_storage_queue_operations', 'Operations that wait for the database thread', queueOps)
  return {
    ops: metrics.counter('rollcall_storage_operations_total', 'Operations given to the database thread'),
    refused: metrics.counter('rollcall_storage_refused_total', 'Calls refused because the queue was full'),
    batchOps: metrics.histogram('rollcall_storage_batch_operations', 'Operations per commit', [1, 4, 16, 64, 256, 1024, 4096]),
    batchSeconds: metrics.histogram('rollcall_storage_batch_seconds', 'From hand-over to commit', [0.0005, 0.002, 0.01, 0.05, 0.2, 1]),
  }
}

const toError = ({ code, message }: WireError): StorageError => new StorageError(code, message)
const asIs = (cell: Cell): Cell => cell
const asNothing = (): void => {}
const orUndefined = (cell: Cell): Json | undefined => (cell === null ? undefined : (JSON.parse(cell as string) as Json))


function mapOf(cell: Cell): Map<string, Json> {
  const all = new Map<string, Json>()
  if (cell !== null) new FlatRows(JSON.parse(`[${cell}]`) as Json[]).forEach((value, key) => void all.set(key, value))
  return all
}

export class SqliteStorage implements StorageBackend {
  readonly isSearchable = true
  readonly #options: SqliteOptions
  readonly #queueOpsMax: number
  readonly #meters: Meters | undefined
  #worker: Worker | undefined
  /** Why calls are refused; undefined while open. */
  #refusal: StorageError | undefined = new StorageError('closed', 'storage is not open')
  #batches: Batch[] = []
  #inFlight: Batch[] = []
  #queuedOps = 0
  #isFlushAsked = false
  #backups = new Map<number, { resolve(): void; reject(error: Error): void }>()
  #backupSerial = 0
  #onClosed: (() => void) | undefined
  #isCloseSent = false

  constructor(options: SqliteOptions) {
    this.#options = options
    this.#queueOpsMax = options.queueOpsMax ?? 100_000
    this.#meters = options.metrics && makeMeters(options.metrics, () => this.#queuedOps)
  }

  /** Operations that wait for the database thread. */
  get queuedOps(): number {
    return this.#queuedOps
  }

  /** Starts the thread; rejects with a `StorageError` that names the file and what to do about it. */
  async open(): Promise<void> {
    if (this.#worker) throw new StorageError('conflict', 'storage is open already')
    const { path, durability = 'full', cacheBytes = 67_108_864, databaseBytesMax, lockWaitMs = 2000 } = this.#options
    const workerData: WorkerOptions = { path, durability, cacheBytes, databaseBytesMax, lockWaitMs }
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData, name: 'storage-sqlite' })
    this.#worker = worker
    this.#isCloseSent = false
    await new Promise<void>((resolve, reject) => {
      const opened = (error?: WireError): void => {
        if (error) {
          this.#worker = undefined
          reject(toError(error))
        } else {
          this.#refusal = undefined
          resolve()
        }
      }
      worker.on('message', (message: Cell[] | Report) => {
        if (Array.isArray(message)) this.#settle(message)
        else if (message.tell === 'open') opened(message.error)
        else this.#report(message)
      })
      worker.on('error', error => {
        reject(error)
        this.#fail(error)
      })
      worker.on('exit', () => this.#exited(worker))
    })
  }

  /** Resolves when everything asked for before is done and the file is released. */
  async close(): Promise<void> {
    const worker = this.#worker
    if (!worker || this.#onClosed) return
    this.#refusal = new StorageError('closed', 'storage is closed')
    await new Promise<void>(resolve => {
      this.#onClosed = resolve
      this.#flush()
    })
  }

  write(ops: readonly WriteOp[]): Promise<void> {
    try {
      checkWriteOps(ops)
      // Encoded aside: an operation that is not JSON must not leave half a call in the batch.
      const cells: Cell[] = [CALL.write, ops.length]
      for (const op of ops) encodeOp(cells, op)
      return this.#call(Math.max(1, ops.length), cells, asNothing)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  logAppend(store: string, owner: Owner, entry: ArchiveEntry<Json>): Promise<void> {
    try {
      checkAppend(owner, entry)
      // Words are found in rows only.
      if (entry.text !== undefined) return this.write([{ op: 'log-append', store, owner, entry }])
      return this.#appendToLog(store, owner, entry, jsonText(entry.value))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  keyvalGet(store: string, owner: Owner): Promise<Json | undefined> {
    return this.#call(1, [CALL.keyvalGet, store, owner], orUndefined)
  }

  async keyvalOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]> {
    checkLimit(limit)
    return JSON.parse((await this.#call(1, [CALL.keyvalOwners, store, after ?? null, limit], asIs)) as string) as Owner[]
  }

  mapGet(store: string, owner: Owner, key: string): Promise<Json | undefined> {
    return this.#call(1, [CALL.mapGet, store, owner, key], orUndefined)
  }

  mapAll(store: string, owner: Owner): Promise<Map<string, Json>> {
    return this.#call(1, [CALL.mapAll, store, owner], mapOf)
  }

  async mapOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]> {
    checkLimit(limit)
    return JSON.parse((await this.#call(1, [CALL.mapOwners, store, after ?? null, limit], asIs)) as string) as Owner[]
  }

  ownerGet(owner: Owner, stores: readonly WholeStore[]): Promise<(Json | undefined | Rows<Json>)[]> {
    const cells: Cell[] = [CALL.ownerGet, owner, stores.length]
    for (const { kind, storeName } of stores) cells.push(kind === 'map' ? CALL.mapAll : CALL.keyvalGet, storeName)
    return this.#call(Math.max(1, stores.length), cells, (cell) => {
      const parts = JSON.parse(cell as string) as Json[][]
      return parts.map((part, at) => (stores[at]!.kind === 'map' ? new FlatRows(part) : part[0]))
    })
  }

  async archiveQuery(store: string, owner: Owner, query: ArchiveQuery): Promise<ArchivePage<Json>> {
    checkLimit(query.limit)
    const text = await this.#call(1, [CALL.archiveQuery, store, owner, JSON.stringify(query)], asIs)
    const [isComplete, ...rows] = JSON.parse(text as string) as [boolean, ...[string, number, string, Json][]]
    return { entries: rows.map(([id, at, peer, value]) => ({ id, at, with: peer, value })), isComplete }
  }

  async archiveCount(store: string, owner: Owner, query: Omit<ArchiveQuery, 'limit'>): Promise<number> {
    return (await this.#call(1, [CALL.archiveCount, store, owner, JSON.stringify(query)], asIs)) as number
  }

  async counterGet(store: string, owner: Owner, key: string): Promise<number> {
    return ((await this.#call(1, [CALL.counterGet, store, owner, key], asIs)) ?? 0) as number
  }

  async counterAdd(store: string, owner: Owner, key: string, amount: number): Promise<number> {
    checkWriteOps([{ op: 'counter-add', store, owner, key, amount }])
    return (await this.#call(1, [CALL.counterAdd, store, owner, key, amount], asIs)) as number
  }

  /** Copies in steps between batches; the copy has everything committed when it finishes, and appears under `path` whole. */
  async backup(path: string): Promise<void> {
    if (this.#refusal) throw this.#refusal
    const serial = ++this.#backupSerial
    await new Promise<void>((resolve, reject) => {
      this.#backups.set(serial, { resolve, reject })
      this.#send({ ask: 'backup', serial, path })
    })
  }

  #call<T>(ops: number, cells: Cell[], decode: (cell: Cell) => T): Promise<T> {
    const refusal = this.#refused()
    if (refusal !== undefined) return Promise.reject(refusal)
    const batch = this.#batch(ops)
    for (const cell of cells) batch.cells.push(cell)
    batch.group = undefined
    const { waiters } = batch
    return new Promise<T>((resolve, reject) => waiters.push({ decode, resolve, reject }))
  }

  /** Appends with nothing between them are one call with one promise: a promise each costs more than the rest of an append. */
  #appendToLog(store: string, owner: Owner, { id, at, with: peer }: ArchiveEntry<Json>, value: string): Promise<void> {
    const refusal = this.#refused()
    if (refusal !== undefined) return Promise.reject(refusal)
    const batch = this.#batch(1)
    const { cells, waiters } = batch
    if (batch.group === undefined) {
      cells.push(CALL.logAppend, 0)
      const countAt = cells.length - 1
      const promise = new Promise<void>((resolve, reject) => waiters.push({ decode: asIs, resolve: () => resolve(), reject }))
      batch.group = { countAt, promise }
    }
    const { group } = batch
    ;(cells[group.countAt] as number)++
    cells.push(store, owner, id, at, peer, value)
    return group.promise
  }

  #refused(): StorageError | undefined {
    if (this.#refusal !== undefined || this.#queuedOps < this.#queueOpsMax) return this.#refusal
    this.#meters?.refused.add(1)
    return new StorageError('busy', `${this.#queuedOps} storage operations wait already`)
  }

  /** The batch that is being gathered, with room for so many more operations. */
  #batch(ops: number): Batch {
    this.#queuedOps += ops
    let batch = this.#batches.at(-1)
    if (!batch || batch.opCount >= BATCH_OPS_MAX) this.#batches.push((batch = new Batch()))
    batch.opCount += ops
    if (!this.#isFlushAsked) {
      this.#isFlushAsked = true
      this.#options.clock.soon(() => this.#flush())
    }
    return batch
  }

  #flush(): void {
    this.#isFlushAsked = false
    while (this.#inFlight.length < BATCHES_IN_FLIGHT_MAX) {
      const batch = this.#batches.shift()
      if (!batch) break
      batch.sentAtMs = this.#options.clock.monotonic()
      this.#inFlight.push(batch)
      this.#worker?.postMessage(batch.cells)
    }
    const isIdle = this.#batches.length === 0 && this.#inFlight.length === 0
    if (isIdle && this.#onClosed && !this.#isCloseSent) {
      this.#isCloseSent = true
      this.#send({ ask: 'close' })
    }
  }

  #send(control: Control): void {
    // A write made before a backup in the same turn belongs into it.
    if (control.ask === 'backup') this.#flush()
    this.#worker?.postMessage(control)
  }

  #settle(reply: Cell[]): void {
    const batch = this.#inFlight.shift()
    if (!batch) return
    this.#queuedOps -= batch.opCount
    this.#meters?.ops.add(batch.opCount)
    this.#meters?.batchOps.observe(batch.opCount)
    this.#meters?.batchSeconds.observe((this.#options.clock.monotonic() - batch.sentAtMs) / 1000)
    batch.waiters.forEach((waiter, at) => {
      const result = reply[2 * at + 1]!
      try {
        if (reply[2 * at] === STATUS.done) waiter.resolve(waiter.decode(result))
        else waiter.reject(toError(JSON.parse(result as string) as WireError))
      } catch (error) {
        waiter.reject(error)
      }
    })
    this.#flush()
  }

  #report(report: Report): void {
    if (report.tell !== 'backup') return
    const waiter = this.#backups.get(report.serial)
    this.#backups.delete(report.serial)
    if (report.error) waiter?.reject(toError(report.error))
    else waiter?.resolve()
  }

  /** The thread died: nothing that waits will be answered, and whether it was committed is not known. */
  #fail(cause: unknown): void {
    const error = new StorageError('io', `the database thread died: ${cause instanceof Error ? cause.message : String(cause)}`)
    this.#refusal ??= error
    for (const batch of [...this.#inFlight, ...this.#batches]) for (const waiter of batch.waiters) waiter.reject(error)
    for (const waiter of this.#backups.values()) waiter.reject(error)
    this.#inFlight = []
    this.#batches = []
    this.#backups.clear()
    this.#queuedOps = 0
  }

  #exited(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    if (!this.#onClosed && !this.#refusal) this.#fail('it exited')
    const onClosed = this.#onClosed
    this.#onClosed = undefined
    onClosed?.()
  }
}
