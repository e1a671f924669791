/**
 * Storage that another process keeps: the port's calls over the socket bus.
 *
 * Calls of one turn are one write to the socket, and go through in the order in which they were made. Appends to logs with
 * nothing between them gather and are one call with one promise, as in the backends that keep them.
 *
 * When the serving process is gone, what waits rejects with `StorageError('io')`, and whether it was done is not known;
 * calls after that reject with it at once, until the process, or its successor, serves again: then calls go through as if
 * nothing had been. Nothing is sent twice. Bounded: operations that wait (`queueOpsMax`, beyond it `busy`), and the time
 * that a call may take (`callTimeoutMs`, beyond it `io`).
 */
import { resolve as absolute } from 'node:path'
import { BusError, StorageError, checkAppend, jsonText } from '@rollcall/ports'
import type {
  ArchiveEntry, ArchivePage, ArchiveQuery, Clock, Json, Log, Metrics, Owner, Rows, StorageBackend, WholeStore, WriteOp,
} from '@rollcall/ports'
import { createSocketBus } from '../bus-socket/index.ts'
import type { SocketBus } from '../bus-socket/index.ts'
import { appendText, fromOwnerParts, storageCodec } from './messages.ts'
import type { CallName, Outcome, OwnerParts, StorageFacts, StorageMessage } from './messages.ts'
import { STORAGE_MEMBER } from './server.ts'

export interface RemoteStorageOptions {
  /** This process among the clients of the directory: 1 to 64 letters, digits, `_`, `.`, `-`; not `storage`. */
  readonly memberId: string
  /** Differs at every start of the process. */
  readonly bootId: string
  /** The directory that `serveStorage` was given. */
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  readonly metrics?: Metrics
  /** The serving process is there, or gone; it may come back. */
  readonly onServer?: (isThere: boolean) => void
  /** How long `open` waits for the serving process; 10 s unless told. */
  readonly openTimeoutMs?: number
  /** 60 s unless told. A backup may take as long as it takes. */
  readonly callTimeoutMs?: number
  /** 100,000 unless told. */
  readonly queueOpsMax?: number
}

/** Gathered appends are sent when there are so many, or when the turn ends. */
const GROUP_CHARS_MAX = 256 * 1024
const BACKUP_TIMEOUT_MS = 24 * 3_600_000
/** How often `open` looks whether the serving process is there. */
const OPEN_LOOK_MS = 20

/** Appends that will be one write. */
class Group {
  text = ''
  lastAt = 0
  count = 0
  readonly promise: Promise<void>
  resolve!: (value: Promise<void>) => void

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve
    })
  }
}

export class RemoteStorage implements StorageBackend {
  readonly #options: RemoteStorageOptions
  readonly #queueOpsMax: number
  readonly #callTimeoutMs: number
  #bus: SocketBus<StorageMessage> | undefined
  #facts: StorageFacts = { isSearchable: false }
  /** Why calls are refused; undefined while open. */
  #refusal: StorageError | undefined = new StorageError('closed', 'storage is not open')
  #group: Group | undefined
  #isFlushAsked = false
  #queuedOps = 0
  #onIdle: (() => void) | undefined
  readonly #flush = (): void => {
    this.#isFlushAsked = false
    this.#sendGroup()
    this.#bus?.flush()
  }

  constructor(options: RemoteStorageOptions) {
    this.#options = options
    this.#queueOpsMax = options.queueOpsMax ?? 100_000
    this.#callTimeoutMs = options.callTimeoutMs ?? 60_000
    options.metrics?.observedGauge(
      'rollcall_storage_remote_queue_operations', 'Operations that wait for the process that keeps the storage', () => this.#queuedOps,
    )
  }

  /** Known once open. */
  get isSearchable(): boolean {
    return this.#facts.isSearchable
  }

  /** Operations that wait for the process that keeps the storage. */
  get queuedOps(): number {
    return this.#queuedOps
  }

  /** Waits for the serving process; rejects with `StorageError('io')` when it does not come. */
  async open(): Promise<void> {
    if (this.#bus) throw new StorageError('conflict', 'storage is open already')
    const { memberId, bootId, directory, clock, log } = this.#options
    const bus = createSocketBus<StorageMessage>({
      memberId, bootId, directory, codec: storageCodec, clock, log, pendingRequestsMax: Infinity,
      isPeer: member => member === STORAGE_MEMBER,
      onPeer: ({ kind }) => this.#options.onServer?.(kind === 'up'),
    })
    this.#bus = bus
    bus.attach({ receive: () => {}, answer: async () => undefined })
    try {
      await bus.open()
      await this.#untilServed(bus)
      this.#refusal = undefined
      this.#facts = (await this.#ask({ kind: 'hello' }, 1, this.#callTimeoutMs)) as StorageFacts
    } catch (error) {
      this.#refusal = new StorageError('closed', 'storage is not open')
      this.#bus = undefined
      await bus.close()
      throw error
    }
  }

  async #untilServed(bus: SocketBus<StorageMessage>): Promise<void> {
    const { clock, directory, openTimeoutMs = 10_000 } = this.#options
    const endMs = clock.monotonic() + openTimeoutMs
    while (!bus.peers.has(STORAGE_MEMBER)) {
      if (clock.monotonic() > endMs) throw new StorageError('io', `${directory}: no process serves storage here`)
      await new Promise<void>(resolve => void clock.after(OPEN_LOOK_MS, resolve))
    }
  }

  /** Resolves when everything asked for before is answered. */
  async close(): Promise<void> {
    const bus = this.#bus
    if (!bus || this.#onIdle) return
    this.#refusal = new StorageError('closed', 'storage is closed')
    this.#flush()
    if (this.#queuedOps > 0) await new Promise<void>(resolve => void (this.#onIdle = resolve))
    this.#onIdle = undefined
    this.#bus = undefined
    await bus.close()
  }

  // ------------------------------------------------------------------------------------ writes

  async write(ops: readonly WriteOp[]): Promise<void> {
    await this.#call('write', [ops], Math.max(1, ops.length))
  }

  logAppend(store: string, owner: Owner, entry: ArchiveEntry<Json>): Promise<void> {
    try {
      checkAppend(owner, entry)
      const value = jsonText(entry.value)
      const group = this.#openGroup()
      group.text += appendText(store, owner, entry, value, group.lastAt)
      group.lastAt = entry.at
      group.count++
      this.#queuedOps++
      if (group.text.length > GROUP_CHARS_MAX) this.#sendGroup()
      return group.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #openGroup(): Group {
    const refusal = this.#refused()
    if (refusal !== undefined) throw refusal
    if (!this.#isFlushAsked) {
      this.#isFlushAsked = true
      this.#options.clock.soon(this.#flush)
    }
    return (this.#group ??= new Group())
  }

  #sendGroup(): void {
    const group = this.#group
    if (group === undefined) return
    this.#group = undefined
    const { text, count } = group
    group.resolve(this.#request({ kind: 'log', text, ops: [] }, count, this.#callTimeoutMs) as Promise<void>)
  }

  // ------------------------------------------------------------------------------------ calls

  async keyvalGet(store: string, owner: Owner): Promise<Json | undefined> {
    return this.#call('keyvalGet', [store, owner]) as Promise<Json | undefined>
  }

  async keyvalOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]> {
    return this.#call('keyvalOwners', [store, after, limit]) as Promise<Owner[]>
  }

  async mapGet(store: string, owner: Owner, key: string): Promise<Json | undefined> {
    return this.#call('mapGet', [store, owner, key]) as Promise<Json | undefined>
  }

  async mapAll(store: string, owner: Owner): Promise<Map<string, Json>> {
    return this.#call('mapAll', [store, owner]) as Promise<Map<string, Json>>
  }

  async mapOwners(store: string, after: Owner | undefined, limit: number): Promise<Owner[]> {
    return this.#call('mapOwners', [store, after, limit]) as Promise<Owner[]>
  }

  async ownerGet(owner: Owner, stores: readonly WholeStore[]): Promise<(Json | undefined | Rows<Json>)[]> {
    return fromOwnerParts((await this.#call('ownerGet', [owner, stores], Math.max(1, stores.length))) as OwnerParts, stores)
  }

  async archiveQuery(store: string, owner: Owner, query: ArchiveQuery): Promise<ArchivePage<Json>> {
    return this.#call('archiveQuery', [store, owner, query]) as Promise<ArchivePage<Json>>
  }

  async archiveCount(store: string, owner: Owner, query: Omit<ArchiveQuery, 'limit'>): Promise<number> {
    return this.#call('archiveCount', [store, owner, query]) as Promise<number>
  }

  async counterGet(store: string, owner: Owner, key: string): Promise<number> {
    return this.#call('counterGet', [store, owner, key]) as Promise<number>
  }

  async counterAdd(store: string, owner: Owner, key: string, amount: number): Promise<number> {
    return this.#call('counterAdd', [store, owner, key, amount]) as Promise<number>
  }

  /** The serving process writes the file; a relative path is one of this process. */
  async backup(path: string): Promise<void> {
    await this.#call('backup', [absolute(path)], 1, BACKUP_TIMEOUT_MS)
  }

  #call(name: CallName, args: readonly unknown[], ops = 1, timeoutMs = this.#callTimeoutMs): Promise<unknown> {
    return this.#ask({ kind: 'call', name, args }, ops, timeoutMs)
  }

  async #ask(message: StorageMessage, ops: number, timeoutMs: number): Promise<unknown> {
    const refusal = this.#refused()
    if (refusal !== undefined) throw refusal
    this.#sendGroup()
    this.#queuedOps += ops
    return this.#request(message, ops, timeoutMs)
  }

  #refused(): StorageError | undefined {
    if (this.#refusal !== undefined || this.#queuedOps < this.#queueOpsMax) return this.#refusal
    return new StorageError('busy', `${this.#queuedOps} storage operations wait already`)
  }

  /** `ops` are counted already. */
  async #request(message: StorageMessage, ops: number, timeoutMs: number): Promise<unknown> {
    const bus = this.#bus
    try {
      if (bus === undefined) throw new StorageError('closed', 'storage is closed')
      const { error, value } = (await bus.request(STORAGE_MEMBER, message, timeoutMs)) as Outcome
      if (error !== undefined) throw error
      return value
    } catch (error) {
      throw error instanceof BusError ? toStorageError(error) : error
    } finally {
      this.#queuedOps -= ops
      if (this.#queuedOps === 0) this.#onIdle?.()
    }
  }
}

function toStorageError({ code, message }: BusError): StorageError {
  if (code === 'closed') return new StorageError('closed', 'storage is closed')
  if (code === 'remote') return new StorageError('io', `the process that keeps the storage failed: ${message}`)
  return new StorageError('io', `the process that keeps the storage does not answer, and may have done what was asked or not: ${message}`)
}
