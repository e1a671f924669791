/**
 * Accounts and their keys: creation, password changes, checks of a password in clear, lists.
 *
 * A password is known in clear only when it is set and when somebody logs in with PLAIN. Those are the moments in which
 * keys for hashes that an account lacks, or that were made with fewer iterations than are wanted now, can be derived;
 * after a login that happens behind the client's back, so that it costs the client no time.
 */
import type { Jid } from '@rollcall/jid'
import { openStore } from '@rollcall/ports'
import type { Clock, Keyval, Log, StorageBackend } from '@rollcall/ports'
import { isPlausibleVerifier, matchesScramVerifier, saslprep } from '@rollcall/stream'
import type { SaslCrypto, ScramHash, ScramKeys, ScramVerifier, UpgradeParameters } from '@rollcall/stream'
import { StanzaError } from '@rollcall/stanza'
import { AccountLocks } from './account-locks.ts'
import { accountStore, isSoundRecord, storedVerifier, verifierOf } from './account-record.ts'
import type { AccountRecord } from './account-record.ts'
import type { AuthConfig } from './config.ts'
import type { HostSecrets } from './host-secrets.ts'
import { InventedKeys, SALT_BYTES } from './invented-keys.ts'
import { acceptablePassword, deriveStoredScram } from './key-maker.ts'
import { Limiter } from './limiter.ts'
import { RecentRecords } from './recent-records.ts'

export interface CredentialsPorts {
  readonly storage: StorageBackend
  readonly crypto: SaslCrypto
  readonly clock: Clock
  readonly config: AuthConfig
  readonly log: Log
  readonly secrets: HostSecrets
}

/** Owners read at a time when all accounts are walked. */
const PAGE_SIZE = 1_000
/** Which keys a password in clear is checked against: the cheapest of the stronger ones first. */
const CHECK_ORDER: readonly ScramHash[] = ['SHA-256', 'SHA-1', 'SHA-512']

export class Credentials {
  readonly #ports: CredentialsPorts
  readonly #accounts: Keyval<AccountRecord>
  readonly #recent: RecentRecords
  readonly #invented: InventedKeys
  readonly #limiter: Limiter
  readonly #locks = new AccountLocks()
  /** Accounts whose missing keys are being derived. */
  readonly #upgrading = new Map<string, Promise<void>>()

  constructor(ports: CredentialsPorts) {
    const { storage, config, secrets } = ports
    this.#ports = ports
    this.#accounts = openStore(storage, accountStore)
    this.#recent = new RecentRecords(() => ports.clock.monotonic())
    this.#invented = new InventedKeys(secrets, config)
    this.#limiter = new Limiter(config.derivationsMax, config.derivationQueueMax)
  }

  /** Derivations that wait for a thread. */
  get waitingCount(): number {
    return this.#limiter.waitingCount
  }

  /** The stored record, or undefined when there is no such account. */
  record(jid: Jid): Promise<AccountRecord | undefined> {
    return this.#accounts.get(jid.bare.toString())
  }

  async exists(jid: Jid): Promise<boolean> {
    return (await this.record(jid)) !== undefined
  }

  /** The same for who has just proven to be the account. */
  existsAfterLogin(jid: Jid): Promise<boolean> | boolean {
    return this.#recent.find(jid.bare.toString()) === undefined ? this.exists(jid) : true
  }

  /**
   * The record as a login that is under way has just read it, or else as stored. Nothing may be found out by asking fast:
   * so only who has proven to be the account is asked about.
   */
  recordOfLogin(jid: Jid): Promise<AccountRecord | undefined> | AccountRecord {
    return this.#recent.find(jid.bare.toString()) ?? this.record(jid)
  }

  /**
   * Keys for an exchange; invented ones for a name that nobody has, or that has no keys of this hash. `waitMs`, asked at the end:
   * how long the account takes no attempts.
   */
  async scramKeys(jid: Jid, hash: ScramHash, waitMs: () => number): Promise<ScramKeys> {
    const owner = jid.bare.toString()
    const change = this.#recent.changeCount
    // Both are always done, so that the time taken does not depend on which is used.
    const inventing = this.#invented.of(jid.bare, hash)
    const invented = inventing instanceof Promise ? await inventing : inventing
    const record = await this.record(jid)
    if (record !== undefined) this.#recent.keep(owner, record, change)
    const verifier = verifierOf(record, hash)
    const { salt, iterations, storedKey, serverKey } = verifier ?? invented
    return { isKnown: verifier !== undefined, salt, iterations, storedKey, serverKey, waitMs: waitMs() }
  }

  /** Whether `password`, unprepared, is the account's; one derivation whatever the answer. May reject as `Limiter` does. */
  async verifyPassword(jid: Jid, password: string): Promise<boolean> {
    const prepared = saslprep(password)
    if (prepared === undefined) return false
    const record = await this.record(jid)
    const hash = this.#hashToCheck(record)
    const invented = await this.#invented.of(jid.bare, hash)
    const known = verifierOf(record, hash)
    const { crypto } = this.#ports
    const isMatch = await this.#limiter.run(() => matchesScramVerifier(crypto, hash, prepared, known ?? invented))
    if (!isMatch || record === undefined || known === undefined) return false
    this.#upgrade(jid.bare, record, hash, prepared)
    return true
  }

  /**
   * Creates an account; `conflict`, `not-acceptable`, `not-allowed` or `resource-constraint`. `prepare` runs when it is certain
   * that the account does not exist, and nobody else can make it meanwhile; when it rejects there is no account.
   */
  async create(jid: Jid, password: string, prepare?: () => Promise<void>): Promise<void> {
    const prepared = acceptablePassword(password, this.#ports.config.passwordUnitsMin)
    this.#checkName(jid)
    if (await this.exists(jid)) throw conflict(jid)
    const scram = await this.#derive(this.#ports.config.scramHashes, prepared)
    await this.#locks.run(jid.toString(), async () => {
      if (await this.exists(jid)) throw conflict(jid)
      await prepare?.()
      await this.#store(jid.toString(), { createdAt: this.#ports.clock.now(), scram })
    })
  }

  /** Replaces all keys; `item-not-found`, `not-acceptable` or `resource-constraint`. */
  async setPassword(jid: Jid, password: string): Promise<void> {
    const prepared = acceptablePassword(password, this.#ports.config.passwordUnitsMin)
    if (!(await this.exists(jid))) throw notFound(jid)
    const scram = await this.#derive(this.#ports.config.scramHashes, prepared)
    await this.#change(jid, record => ({ ...record, scram, passwordVersion: (record.passwordVersion ?? 0) + 1 }))
  }

  /** Keeps the account and refuses its logins, or allows them again; `item-not-found`. */
  async setDisabled(jid: Jid, isDisabled: boolean): Promise<void> {
    await this.#change(jid, ({ isDisabled: _, ...record }) => ({ ...record, ...(isDisabled && { isDisabled }) }))
  }

  /**
   * Stores a whole record from elsewhere (XEP-0227); `conflict`, `not-allowed`, or `not-acceptable` when it is unsound.
   * `prepare`: as in `create`.
   */
  async restore(jid: Jid, record: AccountRecord, prepare?: () => Promise<void>): Promise<void> {
    this.#checkName(jid)
    if (!isSoundRecord(record)) throw new StanzaError('not-acceptable', 'the keys are not valid SCRAM keys')
    await this.#locks.run(jid.toString(), async () => {
      if (await this.exists(jid)) throw conflict(jid)
      await prepare?.()
      await this.#store(jid.toString(), record)
    })
  }

  /** 0 for an account whose password never changed, and for one that does not exist. */
  async passwordVersion(jid: Jid): Promise<number> {
    return (await this.record(jid))?.passwordVersion ?? 0
  }

  /** What a client is to make keys of a hash with (XEP-0480); undefined when they are not wanted or are there. */
  async upgradeParameters(jid: Jid, hash: ScramHash): Promise<UpgradeParameters | undefined> {
    const { config, crypto } = this.#ports
    const record = await this.record(jid)
    if (record === undefined || record.scram[hash] !== undefined || !config.scramHashes.includes(hash)) return undefined
    return { salt: crypto.randomBytes(SALT_BYTES), iterations: config.iterations[hash] }
  }

  /** Adds keys of a hash the account lacks (XEP-0480); false when it has them, does not exist or the keys are unsound. */
  async addKeys(jid: Jid, hash: ScramHash, verifier: ScramVerifier): Promise<boolean> {
    if (!isPlausibleVerifier(hash, verifier)) return false
    return this.#locks.run(jid.bare.toString(), async () => {
      const record = await this.record(jid)
      if (record === undefined || record.scram[hash] !== undefined) return false
      const scram = { ...record.scram, [hash]: storedVerifier(verifier) }
      await this.#store(jid.bare.toString(), { ...record, scram })
      return true
    })
  }

  /** Forgets the keys and so the account; `remove` of the core deletes the rest. Idempotent. */
  async deleteCredentials(jid: Jid): Promise<void> {
    const owner = jid.bare.toString()
    await this.#locks.run(owner, async () => {
      this.#recent.forget(owner)
      await this.#accounts.delete(owner)
      this.#recent.forget(owner)
    })
  }

  /** Accounts of a host in text order, strictly after `after`. Walks the accounts of other hosts in between. */
  async list(host: string, after: Jid | undefined, limit: number): Promise<string[]> {
    const found: string[] = []
    for await (const owner of this.#owners(host, after?.toString())) {
      if (found.length >= limit) break
      found.push(owner)
    }
    return found
  }

  /** How many accounts a host has; walks them all. */
  async count(host: string): Promise<number> {
    const owners = this.#owners(host, undefined)
    let count = 0
    while (!(await owners.next()).done) count++
    return count
  }

  /** Settles when no keys are being derived behind a login: for a clean stop and for tests. */
  async settled(): Promise<void> {
    await Promise.all(this.#upgrading.values())
  }

  async *#owners(host: string, after: string | undefined): AsyncGenerator<string> {
    const suffix = `@${host}`
    let last = after
    for (;;) {
      const page = await this.#accounts.owners(last, PAGE_SIZE)
      for (const owner of page) if (owner.endsWith(suffix)) yield owner
      last = page.at(-1)
      if (page.length < PAGE_SIZE) return
    }
  }

  /** Every change of a record comes through here: a login under way must not see the old one. */
  async #store(owner: string, record: AccountRecord): Promise<void> {
    this.#recent.forget(owner)
    await this.#accounts.set(owner, record)
    // Again, for a storage that let a read made meanwhile see the old one.
    this.#recent.forget(owner)
  }

  #checkName(jid: Jid): void {
    if (!this.#ports.config.hosts.has(jid.domainpart)) throw new StanzaError('not-allowed', `${jid.domainpart} is not served`)
    if (jid.localpart === '' || jid.isFull) throw new StanzaError('not-acceptable', 'an account is localpart@host')
  }

  async #change(jid: Jid, change: (record: AccountRecord) => AccountRecord): Promise<void> {
    const owner = jid.bare.toString()
    await this.#locks.run(owner, async () => {
      const record = await this.record(jid)
      if (record === undefined) throw notFound(jid)
      await this.#store(owner, change(record))
    })
  }

  #derive(hashes: readonly ScramHash[], prepared: string): Promise<AccountRecord['scram']> {
    const { crypto, config } = this.#ports
    return deriveStoredScram(crypto, hashes, config.iterations, prepared, job => this.#limiter.run(job))
  }

  #hashToCheck(record: AccountRecord | undefined): ScramHash {
    const known = CHECK_ORDER.find(hash => record?.scram[hash] !== undefined)
    const usual = CHECK_ORDER.find(hash => this.#ports.config.scramHashes.includes(hash))
    return known ?? usual ?? 'SHA-256'
  }

  /** Derives what `record` lacks, in the background; a failure is logged and the next login tries again. */
  #upgrade(jid: Jid, record: AccountRecord, checked: ScramHash, prepared: string): void {
    const { scramHashes, iterations } = this.#ports.config
    const owner = jid.toString()
    const wanted = scramHashes.filter(hash => (record.scram[hash]?.iterations ?? 0) < iterations[hash])
    if (wanted.length === 0 || this.#upgrading.has(owner)) return
    const upgrading = this.#storeMissing(jid, record, checked, prepared, wanted)
      .catch((error: unknown) => this.#ports.log.warn('auth-upgrade-failed', { account: owner, error }))
      .finally(() => this.#upgrading.delete(owner))
    this.#upgrading.set(owner, upgrading)
  }

  async #storeMissing(
    jid: Jid, seen: AccountRecord, checked: ScramHash, prepared: string, wanted: readonly ScramHash[],
  ): Promise<void> {
    const scram = await this.#derive(wanted, prepared)
    await this.#locks.run(jid.toString(), async () => {
      const record = await this.record(jid)
      // Removed, or the password was changed while we derived: these keys are of the old one.
      if (record?.scram[checked]?.storedKey !== seen.scram[checked]?.storedKey || record === undefined) return
      await this.#store(jid.toString(), { ...record, scram: { ...record.scram, ...scram } })
      this.#ports.log.info('auth-keys-upgraded', { account: jid.toString(), hashes: wanted })
    })
  }
}

const conflict = (jid: Jid): StanzaError => new StanzaError('conflict', `the account ${jid.toString()} exists`)
const notFound = (jid: Jid): StanzaError => new StanzaError('item-not-found', `there is no account ${jid.toString()}`)
