/**
 * A rehearsal in idle time, after the doors are open, so that V8 has compiled what the first users need (ADR 0018).
 *
 * How it works: servers of the same parts as the real one, on a storage of the same class that is in memory, are visited by clients
 * of this process over loopback sockets, and thrown away. They are three, one after the other: V8 compiles what only one
 * object was ever seen to have as if it could not change, and throws that away when there is a second. After three the
 * real one is just one more.
 *
 * It takes nothing from anybody: `pace.ts` says when it may go on. Nothing depends on it either: when it fails or is called off,
 * users are served by code that is still cold.
 */
import { jidOf } from '@rollcall/jid'
import type { Clock, Log, StorageBackend } from '@rollcall/ports'
import type { ScramHash } from '@rollcall/stream'
import type { ServerConfig, StorageConfig } from '../config/index.ts'
import { importAccounts } from '../core/auth/index.ts'
import { makeStorage, makeThrowAway, rosterOps } from '../main.ts'
import { nodeCrypto } from '../runtime/crypto.ts'
import { cpuSeconds } from '../runtime/index.ts'
import type { Server } from '../server.ts'
import { Interrupted, Pace } from './pace.ts'
import type { Budget, Demand } from './pace.ts'
import { perform } from './play.ts'
import type { Play } from './play.ts'
import { clientKeys } from './visitor.ts'
import type { ClientKeys, Guest } from './visitor.ts'

/** On each server: one that is still cold costs as much as two later ones. */
const PERFORMANCES = [1, 4, 8]
const GUESTS = 48
/** Each knows so many of the others, those whose numbers are nearest to its own. */
const CONTACTS = 32
/** Who comes at once after a start finds the server at rest, and it is not begun at all. */
const LULL_MS = 100
const ITERATIONS = { 'SHA-1': 4096, 'SHA-256': 4096, 'SHA-512': 4096 }

const defaultBudget: Budget = { cpuSecondsMax: 6, wallMsMax: 10_000 }

export interface RehearsalPorts {
  readonly clock: Clock
  readonly log: Log
  /** What the real server has to do. */
  readonly demand: () => Demand
  /** Left out unless for tests. */
  readonly budget?: Budget
}

export interface Rehearsal {
  /** Resolves when nothing of it is left; never rejects. */
  readonly over: Promise<void>
  /** Ends it at once; resolves as `over`. */
  stop(): Promise<void>
}

/** Begins to rehearse for a server of that configuration, which is up. */
export function startRehearsal(config: ServerConfig, { clock, log, demand, budget = defaultBudget }: RehearsalPorts): Rehearsal {
  const pace = new Pace({ clock, demand, cpuSeconds }, budget)
  let logins = 0
  const ended = (how: string) => {
    const { cpuSeconds, ms } = pace.spent()
    log.info('rehearsed', { logins, cpuSeconds: Math.round(cpuSeconds * 100) / 100, ms: Math.round(ms), ended: how })
  }
  const rehearsing = rehearse(config, clock, pace, () => void logins++)
  const over = rehearsing.then(() => ended('whole'), (error: unknown) => {
    if (error instanceof Interrupted) ended(error.why)
    else log.warn('rehearsal-failed', { error })
  })
  return {
    over,
    stop() {
      pace.stop()
      return over
    },
  }
}

async function rehearse(config: ServerConfig, clock: Clock, pace: Pace, onLogin: () => void): Promise<void> {
  await pace.wait(LULL_MS)
  await pace.turn()
  const { storage: storageConfig, ...rest } = stageConfig(config)
  const storage = makeStorage(storageConfig, clock)
  await storage.open()
  try {
    const guests = await invite(config, storage, clock)
    for (const count of PERFORMANCES) {
      await pace.turn()
      const server = await makeThrowAway({ ...rest, storage: storageConfig }, storage)
      await visit(server, count, { guests, crypto: nodeCrypto, pace, onLogin })
    }
  } finally {
    await storage.close()
  }
}

async function visit(server: Server, count: number, play: Play): Promise<void> {
  try {
    await server.start()
    for (let i = 0; i < count; i++) await perform(play, server.edge.listeners[0]?.port ?? 0)
  } finally {
    await server.stop()
  }
}

/** The configuration itself as far as possible: other objects would be compiled for. */
function stageConfig(config: ServerConfig): ServerConfig {
  const { edge } = config
  return {
    ...config,
    storage: stageStorage(config.storage),
    edge: {
      ...edge,
      hosts: edge.hosts.slice(0, 1),
      listeners: [{ kind: 'client', address: '127.0.0.1', port: 0 }],
      isTlsRequired: false,
      sasl: { ...edge.sasl, scramHashes: config.auth.scramHashes },
      // Real clients are counted by address.
      exemptAddresses: [],
      limits: { ...edge.limits, connectionsMax: 1_000, connectionsPerAddressMax: 1_000, connectsPerMinuteMax: 100_000 },
    },
  }
}

function stageStorage(storage: StorageConfig): StorageConfig {
  return storage.kind === 'memory' ? storage : { ...storage, path: ':memory:', databaseBytesMax: undefined }
}

/** Makes the accounts. Their password is nobody's business: others on this machine can reach the port. */
async function invite({ auth, core }: ServerConfig, storage: StorageBackend, clock: Clock): Promise<Guest[]> {
  const [host = 'localhost'] = core.hosts
  const scramHashes = auth.scramHashes.filter((hash, i) => i === 0 || hash !== 'SHA-512')
  const password = Buffer.from(nodeCrypto.randomBytes(16)).toString('hex')
  const fixedSalt = nodeCrypto.randomBytes(16)
  const jids = Array.from({ length: GUESTS }, (_, i) => jidOf(nameOf(i), host))
  const accounts = jids.map((jid, i) => ({ jid, password, contacts: jids.filter((_, k) => areFriends(i, k)) }))
  await importAccounts({ storage, crypto: nodeCrypto, clock }, accounts, { scramHashes, iterations: ITERATIONS, fixedSalt, rowsOf: rosterOps(clock) })
  const keys = new Map<ScramHash, ClientKeys>()
  for (const hash of scramHashes) keys.set(hash, await clientKeys(nodeCrypto, hash, password, fixedSalt, ITERATIONS[hash]))
  return jids.map((_, i) => {
    const hash = scramHashes[i % scramHashes.length] as ScramHash
    return { localpart: nameOf(i), host, hash, keys: keys.get(hash) as ClientKeys, isManaged: i % 8 === 0 }
  })
}

function areFriends(i: number, k: number): boolean {
  const distance = Math.min(Math.abs(i - k), GUESTS - Math.abs(i - k))
  return distance > 0 && distance <= CONTACTS / 2
}

function nameOf(i: number): string {
  return `visitor-${i}`
}
