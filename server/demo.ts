/**
 * The demo: two accounts that know each other, so that two browser windows chat after one command.
 *
 * Their passwords are public, so the demo is on only while nobody has configured a host (or asked for it), when the
 * server listens on loopback addresses only.
 */
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Clock, StorageBackend, WriteOp } from '@rollcall/ports'
import { defaultAuthConfig, importAccounts } from './core/auth/index.ts'
import { nodeCrypto } from './runtime/crypto.ts'

export const demoAccounts = [
  { localpart: 'romeo', password: 'romeo' },
  { localpart: 'juliet', password: 'juliet' },
] as const

/** Storage rows of a roster of mutual contacts. */
export type RosterOps = (account: Jid, contacts: readonly Jid[]) => readonly WriteOp[]

/** Makes the accounts that are missing, each with the others as contacts; those that exist keep what they have. */
export async function ensureDemo(storage: StorageBackend, clock: Clock, host: string, rowsOf: RosterOps): Promise<void> {
  const accounts = demoAccounts.map(({ localpart, password }) => ({
    jid: jidOf(localpart, host),
    password,
    contacts: demoAccounts.filter((other) => other.localpart !== localpart).map((other) => jidOf(other.localpart, host)),
  }))
  await importAccounts({ storage, crypto: nodeCrypto, clock }, accounts, {
    scramHashes: defaultAuthConfig.scramHashes,
    iterations: defaultAuthConfig.iterations,
    rowsOf,
  })
}
