/**
 * The core's answers to the edge's questions about authentication, and account management for the `AccountAdmin` port.
 *
 * The edge asks and reports; every decision is made here: keys or invented keys, locks, and the last word on a login.
 * Attempts that run at once each report before they are let in, so a lock also stops those that began before it.
 */
import { jidOf, parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Clock, CounterMetric, Log, Metrics, Random, StorageBackend } from '@rollcall/ports'
import { SCRAM_ITERATIONS_MAX, SCRAM_ITERATIONS_MIN } from '@rollcall/stream'
import type { SaslCrypto } from '@rollcall/stream'
import { StanzaError } from '@rollcall/stanza'
import type { AuthVerdict, ReportAuth, ServerMessage, VerifyResult } from '../../protocol/messages.ts'
import type { AccountRecord } from './account-record.ts'
import type { AuthConfig } from './config.ts'
import { Credentials } from './credentials.ts'
import { HostSecrets } from './host-secrets.ts'
import { Lockout } from './lockout.ts'
import { LoginClients } from './login-clients.ts'

export interface AuthPorts {
  readonly storage: StorageBackend
  readonly crypto: SaslCrypto
  readonly clock: Clock
  readonly random: Random
  readonly config: AuthConfig
  readonly log: Log
  readonly metrics: Metrics
}

export interface AuthService {
  /**
   * The reply to a message about authentication; undefined for any other message. Rejects when storage fails, when too
   * many passwords wait to be checked (`resource-constraint`) and for hosts that are not served; the edge then answers
   * `temporary-auth-failure`.
   */
  answer(message: ServerMessage): Promise<unknown> | undefined
  exists(jid: Jid): Promise<boolean>
  /** The same for who has just proven to be the account: nothing is read that the login has read. */
  existsAfterLogin(jid: Jid): Promise<boolean> | boolean
  /** `conflict`, `not-acceptable`, `not-allowed`, `resource-constraint`. `prepare` runs before the account comes to be. */
  create(jid: Jid, password: string, prepare?: () => Promise<void>): Promise<void>
  /** `item-not-found`, `not-acceptable`, `resource-constraint`. */
  setPassword(jid: Jid, password: string): Promise<void>
  /** Ignores locks: for a client that is logged in already. */
  verifyPassword(jid: Jid, password: string): Promise<boolean>
  /** `item-not-found`. Sessions that exist are the caller's to end. */
  setDisabled(jid: Jid, isDisabled: boolean): Promise<void>
  /** The keys as stored, for an export (XEP-0227). */
  record(jid: Jid): Promise<AccountRecord | undefined>
  /** Creates an account from exported keys: `conflict`, `not-acceptable`, `not-allowed`. `prepare`: as in `create`. */
  restore(jid: Jid, record: AccountRecord, prepare?: () => Promise<void>): Promise<void>
  /** Removes the account's record and nothing else; idempotent. */
  deleteCredentials(jid: Jid): Promise<void>
  /** In text order, strictly after `after`. */
  list(host: string, after: Jid | undefined, limit: number): Promise<Jid[]>
  count(host: string): Promise<number>
  /** The clients of accounts and their tokens. */
  readonly clients: LoginClients
  /** Settles when nothing is under way behind a login any more. */
  settled(): Promise<void>
}

/** Throws `RangeError` when an iteration count is out of the bounds within which stored keys are accepted. */
export function createAuthService(ports: AuthPorts): AuthService {
  const { config, clock } = ports
  for (const [hash, iterations] of Object.entries(config.iterations)) {
    if (iterations < SCRAM_ITERATIONS_MIN || iterations > SCRAM_ITERATIONS_MAX) {
      throw new RangeError(`iterations of ${hash} must be ${SCRAM_ITERATIONS_MIN} to ${SCRAM_ITERATIONS_MAX}, not ${iterations}`)
    }
  }
  const secrets = new HostSecrets(ports.storage, ports.crypto, config.hosts)
  const credentials = new Credentials({ ...ports, secrets })
  const clients = new LoginClients({
    ...ports, config: config.clients, secrets, passwordVersion: (account) => credentials.passwordVersion(account),
  })
  const lockout = new Lockout(config.lockout, () => clock.monotonic())
  const verdictOf = verdicts(ports, credentials, lockout)
  ports.metrics.observedGauge('rollcall_auth_locked_accounts', 'Accounts with failed logins remembered.', () => lockout.size)
  ports.metrics.observedGauge('rollcall_auth_derivations_waiting', 'Passwords that wait to be checked or set.', () => credentials.waitingCount)
  const parts = { ...ports, credentials, clients, lockout, verdictOf }
  return {
    clients,
    answer: message => answer(parts, message),
    exists: jid => credentials.exists(jid),
    existsAfterLogin: jid => credentials.existsAfterLogin(jid),
    create: (jid, password, prepare) => credentials.create(jid, password, prepare),
    setPassword: (jid, password) => credentials.setPassword(jid, password),
    verifyPassword: (jid, password) => credentials.verifyPassword(jid, password),
    setDisabled: (jid, isDisabled) => credentials.setDisabled(jid, isDisabled),
    record: jid => credentials.record(jid),
    restore: (jid, record, prepare) => credentials.restore(jid, record, prepare),
    deleteCredentials: jid => credentials.deleteCredentials(jid),
    list: async (host, after, limit) => (await credentials.list(host, after, limit)).map(owner => parseJid(owner)),
    count: host => credentials.count(host),
    settled: () => credentials.settled(),
  }
}

type VerdictOf = (message: ReportAuth) => Promise<AuthVerdict>

interface AuthParts extends AuthPorts {
  readonly credentials: Credentials
  readonly clients: LoginClients
  readonly lockout: Lockout
  readonly verdictOf: VerdictOf
}

function answer(parts: AuthParts, message: ServerMessage): Promise<unknown> | undefined {
  const { credentials, clients, lockout } = parts
  switch (message.kind) {
    case 'scram-keys':
      // With the wait that a `check-lockout` would answer, so that an exchange asks once.
      return credentials.scramKeys(message.account, message.hash, () => lockout.waitMs(message.account.bare.toString()))
    case 'verify-password':
      return credentials.verifyPassword(message.account, message.password).then((isValid): VerifyResult => ({ isValid }))
    case 'check-lockout':
      return Promise.resolve({ waitMs: lockout.waitMs(message.account.bare.toString()) })
    case 'report-auth':
      return parts.verdictOf(message)
    case 'upgrade-keys':
      return credentials.addKeys(message.account, message.hash, message).then(isStored => ({ isStored }))
    case 'create-anonymous':
      return createAnonymous(parts, credentials, message.host)
    case 'check-token':
      return clients.checkToken(message.account, message)
    case 'upgrade-parameters':
      return credentials.upgradeParameters(message.account, message.hash)
    case 'finish-login':
      return clients.finish(message)
    default:
      return undefined
  }
}

/** Counts how attempts ended and decides whether a proof becomes a login. */
function verdicts({ metrics, log }: AuthPorts, credentials: Credentials, lockout: Lockout): VerdictOf {
  const counter = (result: string): CounterMetric =>
    metrics.counter('rollcall_auth_attempts_total', 'Logins tried, by result.', { result })
  const counters = { success: counter('success'), failure: counter('failure'), refused: counter('refused') }

  function refusalOf(record: AccountRecord | undefined, waitMs: number): AuthVerdict['refusal'] {
    if (record === undefined) return 'unknown'
    if (record.isDisabled) return 'disabled'
    return waitMs > 0 ? 'locked' : undefined
  }

  return async ({ account, isSuccess, address }) => {
    const name = account.bare.toString()
    if (!isSuccess) {
      const waitMs = lockout.fail(name)
      counters.failure.add(1)
      if (waitMs > 0) log.warn('auth-account-locked', { account: name, address, waitMs })
      else log.info('auth-failed', { account: name, address })
      return { waitMs }
    }
    const waitMs = lockout.waitMs(name)
    const read = credentials.recordOfLogin(account)
    const refusal = refusalOf(read instanceof Promise ? await read : read, waitMs)
    if (refusal !== undefined) {
      counters.refused.add(1)
      log.info('auth-refused', { account: name, address, refusal })
      return { waitMs, refusal }
    }
    counters.success.add(1)
    lockout.succeed(name)
    return { waitMs: 0 }
  }
}

async function createAnonymous({ config, random, log }: AuthPorts, credentials: Credentials, host: string): Promise<Jid> {
  if (!config.anonymousHosts.has(host)) throw new StanzaError('not-allowed', `${host} takes no anonymous logins`)
  const account = jidOf(`anonymous-${random.uuid()}`, host)
  // Cannot happen with a sound source of randomness; without one, strangers would share somebody's account.
  if (await credentials.exists(account)) throw new StanzaError('conflict', 'the invented name is taken')
  log.info('auth-anonymous', { account: account.toString() })
  return account
}
