/** The `Accounts` and `AccountAdmin` ports: what modules and the operator do with accounts as a whole. */
import type { Jid } from '@rollcall/jid'
import type { StorageBackend } from '@rollcall/ports'
import { accountCreated, accountRemoving } from '@rollcall/module-api'
import type { Account, AccountAdmin, Accounts } from '@rollcall/module-api'
import { StanzaError } from '@rollcall/stanza'
import type { StanzaErrorCondition } from '@rollcall/stanza'
import type { AccountAdminReply, AccountAdminRequest } from '../protocol/member-messages.ts'
import type { Carrier, Placement } from '../protocol/placement.ts'
import type { AccountRegistry } from './account-registry.ts'
import type { Binding } from './binding.ts'
import type { HookChains } from './hook-chains.ts'

/** What the authentication service does about credentials. */
export interface CredentialStore {
  exists(jid: Jid): Promise<boolean>
  /** The same for who has just proven to be the account: nothing is read that the login has read. */
  existsAfterLogin(jid: Jid): Promise<boolean> | boolean
  create(jid: Jid, password: string): Promise<void>
  setPassword(jid: Jid, password: string): Promise<void>
  setDisabled(jid: Jid, isDisabled: boolean): Promise<void>
  verifyPassword(jid: Jid, password: string): Promise<boolean>
  /** Also forgets what a login under way has read; idempotent. */
  deleteCredentials(jid: Jid): Promise<void>
  list(host: string, after: Jid | undefined, limit: number): Promise<Jid[]>
  count(host: string): Promise<number>
}

export function accountsPort(registry: AccountRegistry, credentials: CredentialStore): Accounts {
  return {
    warm: (jid) => registry.warm(jid.bare),
    get warmedCount() { return registry.warmedCount },
    use: <T>(jid: Jid, use: (account: Account) => T) =>
      new Promise<T | undefined>((resolve, reject) => {
        registry.use(jid.bare, (account, failure) => {
          if (failure !== undefined) return reject(failure)
          try {
            resolve(account === undefined ? undefined : use(account))
          } catch (error) {
            reject(error)
          }
        })
      }),
    exists: (jid) => (registry.warm(jid.bare) === undefined ? credentials.exists(jid.bare) : Promise.resolve(true)),
    *online() {
      for (const account of registry.all()) if (account.sessions.size > 0) yield account
    },
  }
}

export interface AdminPorts {
  readonly placement: Placement
  /** Absent where there is one member. */
  readonly carrier: Carrier | undefined
  readonly storage: StorageBackend
  readonly registry: AccountRegistry
  readonly binding: Binding
  readonly hooks: HookChains
  readonly credentials: CredentialStore
  readonly hosts: ReadonlySet<string>
}

/** The owner of an account may have much to do for one that is removed. */
const OWNER_TIMEOUT_MS = 60_000

/** Everything about one account is done by its owner. */
export function accountAdminPort(ports: AdminPorts): AccountAdmin {
  const { carrier, placement } = ports
  const here = ownAccountAdmin(ports)
  if (carrier === undefined) return here
  const ask = async (account: Jid, request: Omit<AccountAdminRequest, 'kind' | 'account'>) => {
    const message = { kind: 'account-admin', account: account.toString(), ...request } as const
    const reply = await carrier.request(account, message, OWNER_TIMEOUT_MS) as AccountAdminReply
    if (!reply.isDone) throw new StanzaError(reply.condition as StanzaErrorCondition, reply.text)
  }
  return {
    ...here,
    create: (jid, password) => (placement.isHere(jid) ? here.create(jid, password) : ask(jid, { operation: 'create', password })),
    remove: (jid) => (placement.isHere(jid) ? here.remove(jid) : ask(jid, { operation: 'remove' })),
    setPassword: (jid, password) => (placement.isHere(jid) ? here.setPassword(jid, password) : ask(jid, { operation: 'setPassword', password })),
    setDisabled: (jid, isDisabled) => (placement.isHere(jid) ? here.setDisabled(jid, isDisabled) : ask(jid, { operation: 'setDisabled', isDisabled })),
  }
}

function ownAccountAdmin(ports: AdminPorts): AccountAdmin {
  const { credentials, registry } = ports
  const created = ports.hooks.observe(accountCreated)
  const removing = ports.hooks.observe(accountRemoving)
  const requireExisting = async (jid: Jid) => {
    if (!(await credentials.exists(jid))) throw new StanzaError('item-not-found', `There is no account ${jid.toString()}`)
  }
  return {
    async create(jid, password) {
      if (!ports.hosts.has(jid.domainpart)) throw new StanzaError('not-allowed', `The host ${jid.domainpart} is not served here`)
      if (jid.localpart === '' || jid.isFull) throw new StanzaError('not-acceptable', 'An account is a bare JID: localpart@host')
      await credentials.create(jid, password)
      created.run({ jid })
    },
    async remove(jid) {
      await requireExisting(jid)
      await new Promise<void>((resolve, reject) => {
        registry.use(jid, (account, failure) => {
          if (failure !== undefined) return reject(failure)
          if (account !== undefined) {
            for (const session of [...account.sessions.values()]) {
              // Nothing of the account is left to deliver it to.
              session.takeUnacked()
              ports.binding.end(session, 'removed', 'not-authorized', 'The account was removed')
            }
            removing.run({ account })
            registry.evict(jid)
          }
          resolve()
        })
      })
      await ports.storage.write([{ op: 'owner-delete', owner: jid.toString() }])
      // They are gone with the rest: this is for a login that has its challenge already.
      await credentials.deleteCredentials(jid)
    },
    async setPassword(jid, password) {
      await requireExisting(jid)
      await credentials.setPassword(jid, password)
    },
    async setDisabled(jid, isDisabled) {
      await requireExisting(jid)
      await credentials.setDisabled(jid, isDisabled)
      if (!isDisabled) return
      const sessions = registry.warm(jid.bare)?.sessions.values() ?? []
      for (const session of [...sessions]) ports.binding.end(session, 'removed', 'not-authorized', 'The account was disabled')
    },
    verifyPassword: (jid, password) => credentials.verifyPassword(jid, password),
    list: (host, after, limit) => credentials.list(host, after, limit),
    count: (host) => credentials.count(host),
  }
}
