/** The operations on a core that is there: in a running server, or opened by the command on a server's data. */
import type { AccountAdmin } from '@rollcall/module-api'
import { parseJid, prepareDomainpart } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { StorageBackend, WriteOp } from '@rollcall/ports'
import { saslprep } from '@rollcall/stream'
import type { SaslCrypto } from '@rollcall/stream'
import { RollcallError } from '../config/index.ts'
import { importAccounts } from '../core/auth/index.ts'
import type { AuthConfig, ImportAccount } from '../core/auth/index.ts'
import { toFailure } from './failure.ts'
import type { AccountInput, Operations, ServerStatus } from './operations.ts'
import { exportUsers, importUsers } from './user-transfer.ts'
import type { TransferPorts } from './user-transfer.ts'

export interface OperationsPorts extends TransferPorts {
  readonly accounts: AccountAdmin
  readonly storage: StorageBackend
  readonly crypto: SaslCrypto
  /** As it is now: a reload may change it. */
  readonly authConfig: () => AuthConfig
  /** Rows of a roster of mutual contacts. */
  readonly rosterRows: (account: Jid, contacts: readonly Jid[]) => readonly WriteOp[]
  readonly facts: () => Omit<ServerStatus, 'accountCount'>
  readonly reload: () => Promise<void>
  /** Begins to stop; the answer has been sent by then. */
  readonly shutdown: () => void
}

const SALT_BYTES_MIN = 8
const DONE = {}

/** The operations; every rejection is a `RollcallError`. */
export function createOperations(ports: OperationsPorts): Operations {
  const { accounts, storage } = ports
  const hosts = () => ports.authConfig().hosts
  const operations: Operations = {
    async status() {
      const counts = await Promise.all([...hosts()].map((host) => accounts.count(host)))
      return { ...ports.facts(), accountCount: counts.reduce((sum, count) => sum + count, 0) }
    },
    async reload() {
      await ports.reload()
      return DONE
    },
    async shutdown() {
      ports.clock.after(SHUTDOWN_DELAY_MS, ports.shutdown)
      return DONE
    },
    async addAccount({ jid, password }) {
      const account = accountJid(jid, hosts())
      await accounts.create(account, password)
      return DONE
    },
    async removeAccount({ jid }) {
      await accounts.remove(accountJid(jid, hosts()))
      return DONE
    },
    async setPassword({ jid, password }) {
      await accounts.setPassword(accountJid(jid, hosts()), password)
      return DONE
    },
    async listAccounts({ host, after, limit }) {
      const page = await accounts.list(servedHost(host, hosts()), after === undefined ? undefined : parseJid(after), limit)
      return { accounts: page.map((jid) => jid.toString()) }
    },
    countAccounts: async ({ host }) => ({ count: await accounts.count(servedHost(host, hosts())) }),
    importAccounts: (request) => importLines(ports, request),
    importUsers: async ({ users }) => ({ results: await importUsers(ports, users, (host) => hosts().has(host)) }),
    async exportUsers({ host, after, limit }) {
      return exportUsers(ports, servedHost(host, hosts()), after === undefined ? undefined : parseJid(after), limit)
    },
    async backup({ path }) {
      await storage.backup(path)
      return DONE
    },
  }
  return failing(operations)
}

/** Long enough for the answer to leave. */
const SHUTDOWN_DELAY_MS = 100

/** The same operations, whose rejections have stable codes. */
function failing(operations: Operations): Operations {
  const wrapped = Object.entries(operations).map(([name, operation]) => {
    const run = operation as (request: object) => Promise<object>
    return [name, async (request: object) => {
      try {
        return await run(request)
      } catch (error) {
        throw toFailure(error)
      }
    }] as const
  })
  return Object.fromEntries(wrapped) as unknown as Operations
}

function servedHost(text: string, hosts: ReadonlySet<string>): string {
  const host = prepareDomainpart(text)
  if (!hosts.has(host)) throw new RollcallError('host-not-served', `the host ${host} is not served here; hosts are ${[...hosts].join(', ')}`)
  return host
}

function accountJid(text: string, hosts: ReadonlySet<string>): Jid {
  const jid = parseJid(text)
  if (jid.localpart === '' || jid.isFull) throw new RollcallError('bad-jid', `'${text}' is not an account: write localpart@host`)
  servedHost(jid.domainpart, hosts)
  return jid
}

async function importLines(ports: OperationsPorts, request: Parameters<Operations['importAccounts']>[0]) {
  const config = ports.authConfig()
  const { iterations, salt } = request
  const fixedSalt = salt === undefined ? undefined : new TextEncoder().encode(salt)
  if (fixedSalt !== undefined && fixedSalt.length < SALT_BYTES_MIN) throw new RollcallError('bad-request', `a salt needs at least ${SALT_BYTES_MIN} bytes`)
  const accounts = request.accounts.map((account) => importAccount(account, config.hosts))
  const { createdCount, existing } = await importAccounts(ports, accounts, {
    scramHashes: config.scramHashes,
    iterations: iterations === undefined ? config.iterations : { 'SHA-1': iterations, 'SHA-256': iterations, 'SHA-512': iterations },
    rowsOf: ports.rosterRows,
    ...(fixedSalt === undefined ? {} : { fixedSalt }),
  })
  return { createdCount, existing: existing.map((jid) => jid.toString()) }
}

function importAccount({ jid, password, contacts }: AccountInput, hosts: ReadonlySet<string>): ImportAccount {
  const prepared = saslprep(password)
  if (prepared === undefined) throw new RollcallError('bad-password', `the password of ${jid} is empty, too long or not allowed`)
  return { jid: accountJid(jid, hosts), password: prepared, contacts: contacts.map((contact) => parseJid(contact).bare) }
}
