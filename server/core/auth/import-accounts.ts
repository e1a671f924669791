/**
 * Makes many accounts at once: for `account import` and for load tests.
 *
 * Time goes into PBKDF2, so enough accounts are kept under way to feed all of libuv's threads, and no more, to keep the
 * memory flat. Each account is one write with whatever else belongs to it (its roster), so an import that is cut short
 * leaves whole accounts and can be started again: accounts that exist are left alone.
 */
import type { Jid } from '@rollcall/jid'
import type { Clock, Json, StorageBackend, WriteOp } from '@rollcall/ports'
import type { SaslCrypto, ScramHash } from '@rollcall/stream'
import { accountStore } from './account-record.ts'
import type { AccountRecord, StoredScram } from './account-record.ts'
import type { ImportAccount } from './import-lines.ts'
import { deriveStoredScram } from './key-maker.ts'

export interface ImportPorts {
  readonly storage: StorageBackend
  readonly crypto: SaslCrypto
  readonly clock: Clock
}

export interface ImportOptions {
  readonly scramHashes: readonly ScramHash[]
  readonly iterations: Readonly<Record<ScramHash, number>>
  /**
   * One salt for all, at least 8 bytes: equal passwords are then derived once. Weakens every account - equal passwords
   * show, and one table attacks them all - so for tests and demonstrations only.
   */
  readonly fixedSalt?: Uint8Array
  /** Accounts under way at once. */
  readonly accountsInFlightMax?: number
  /** More to write with the account, of the same owner: its roster. */
  readonly rowsOf?: (account: Jid, contacts: readonly Jid[]) => readonly WriteOp[]
  /** Called as accounts are done, from 0 to `total`, at most once per percent. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface ImportResult {
  readonly createdCount: number
  /** Accounts that existed and were left alone. */
  readonly existing: readonly Jid[]
}

const ACCOUNTS_IN_FLIGHT_MAX = 16
const FIXED_SALT_BYTES_MIN = 8
/** Different passwords remembered with a fixed salt; beyond it each is derived anew. */
const CACHED_PASSWORDS_MAX = 65_536

/** Creates `accounts`; rejects with what storage rejects with, having created some. */
export async function importAccounts(
  ports: ImportPorts, accounts: readonly ImportAccount[], options: ImportOptions,
): Promise<ImportResult> {
  const scramOf = deriver(ports.crypto, options)
  const total = accounts.length
  const step = Math.max(1, Math.ceil(total / 100))
  const existing: Jid[] = []
  const queue = accounts.values()
  const failures: unknown[] = []
  let done = 0
  options.onProgress?.(0, total)

  async function worker(): Promise<void> {
    // All workers draw from one iterator, and none goes on once one has failed.
    for (const account of queue) {
      if (failures.length > 0) return
      try {
        if (!(await createOne(ports, options, scramOf, account))) existing.push(account.jid)
      } catch (error) {
        failures.push(error)
        return
      }
      done++
      if (done % step === 0 || done === total) options.onProgress?.(done, total)
    }
  }

  const workerCount = Math.min(total, options.accountsInFlightMax ?? ACCOUNTS_IN_FLIGHT_MAX)
  await Promise.all(Array.from({ length: workerCount }, worker))
  if (failures.length > 0) throw failures[0]
  return { createdCount: total - existing.length, existing }
}

async function createOne(
  { storage, clock }: ImportPorts, { rowsOf }: ImportOptions, scramOf: ScramOf, account: ImportAccount,
): Promise<boolean> {
  const owner = account.jid.toString()
  const store = accountStore.storeName
  if ((await storage.keyvalGet(store, owner)) !== undefined) return false
  const record: AccountRecord = { createdAt: clock.now(), scram: await scramOf(account.password) }
  const rows = rowsOf?.(account.jid, account.contacts) ?? []
  await storage.write([{ op: 'keyval-set', store, owner, value: jsonOf(record) }, ...rows])
  return true
}

// An interface has no index signature, so TypeScript cannot see that the record is plain JSON.
const jsonOf = (record: AccountRecord): Json => record as unknown as Json

type ScramOf = (password: string) => Promise<StoredScram>

function deriver(crypto: SaslCrypto, { scramHashes, iterations, fixedSalt }: ImportOptions): ScramOf {
  const derive: ScramOf = password =>
    deriveStoredScram(crypto, scramHashes, iterations, password, job => job(), fixedSalt)
  if (fixedSalt === undefined) return derive
  if (fixedSalt.length < FIXED_SALT_BYTES_MIN) throw new RangeError(`a fixed salt needs ${FIXED_SALT_BYTES_MIN} bytes`)
  const cache = new Map<string, Promise<StoredScram>>()
  return password => {
    const known = cache.get(password)
    if (known !== undefined) return known
    const scram = derive(password)
    if (cache.size < CACHED_PASSWORDS_MAX) cache.set(password, scram)
    return scram
  }
}
