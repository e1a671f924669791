/**
 * Serves a storage backend to the other processes of the machine.
 *
 * Every call is made on the backend in the order in which it came, so that writes of all processes meet in its group commit
 * and a process reads what it wrote. The backend is opened and closed by its owner; its errors travel as they are.
 */
import type { Clock, Log, StorageBackend } from '@rollcall/ports'
import { createSocketBus } from '../bus-socket/index.ts'
import { Outcome, ownerParts, storageCodec } from './messages.ts'
import type { StorageCall, StorageFacts, StorageMessage } from './messages.ts'

/** The id of the serving member in the run directory. */
export const STORAGE_MEMBER = 'storage'

export interface ServeStorageOptions {
  readonly backend: StorageBackend
  /** Where clients look for it: a directory of its own, made with mode 0700. */
  readonly directory: string
  /** Differs at every start of the process. */
  readonly bootId: string
  readonly clock: Clock
  readonly log: Log
  /** A client is there; or gone, and all that it asked for has been asked of the backend. */
  readonly onClient?: (memberId: string, isThere: boolean) => void
}

export interface StorageServer {
  /** Lets the clients go; what they wait for rejects. The backend stays open. */
  close(): Promise<void>
}

/** Resolves when clients can connect; rejects when the directory is not private or served by another process. */
export async function serveStorage({ backend, directory, bootId, clock, log, onClient }: ServeStorageOptions): Promise<StorageServer> {
  const bus = createSocketBus<StorageMessage>({
    memberId: STORAGE_MEMBER, bootId, directory, codec: storageCodec, clock, log,
    onPeer: ({ kind, peer }) => onClient?.(peer.memberId, kind === 'up'),
  })
  bus.attach({
    receive: (from, { kind }) => log.warn('storage-message-ignored', { from, kind }),
    answer: async (_from, message) => answer(backend, message),
  })
  await bus.open()
  return { close: async () => bus.close() }
}

async function answer(backend: StorageBackend, message: StorageMessage): Promise<Outcome> {
  try {
    switch (message.kind) {
      case 'log':
        return new Outcome(undefined, await backend.write(message.ops))
      case 'call':
        return new Outcome(undefined, await call(backend, message))
      case 'hello': {
        const facts: StorageFacts = { isSearchable: backend.isSearchable === true }
        return new Outcome(undefined, facts)
      }
    }
  } catch (error) {
    return new Outcome(error ?? new Error('failed'), undefined)
  }
}

function call(backend: StorageBackend, { name, args }: StorageCall): Promise<unknown> {
  if (name === 'ownerGet') {
    const [owner, stores] = args as Parameters<StorageBackend['ownerGet']>
    return backend.ownerGet(owner, stores).then((values) => ownerParts(values, stores))
  }
  // Checked by the client's types; what a later version adds is for the backend to refuse.
  const method = backend[name] as (...values: readonly unknown[]) => Promise<unknown>
  return method.apply(backend, args as unknown[])
}
