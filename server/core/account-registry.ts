/**
 * Which accounts are warm here, and how they become so.
 *
 * An account is loaded completely (every module's slot) before anything about it is handled, so that handlers are
 * synchronous. While it loads, what concerns it waits in one queue and runs in order afterwards. Accounts without a
 * session stay warm for a while: messages to people who are away come in bursts.
 */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Clock, Log, Metrics, StorageBackend } from '@rollcall/ports'
import { StanzaError } from '@rollcall/stanza'
import { AccountSlots } from './account-slots.ts'
import { LocalAccount } from './entities.ts'
import type { CoreLimits } from './config.ts'

/** Called with the account, with undefined when there is none, or with an error when it could not be loaded. */
export type Waiter = (account: LocalAccount | undefined, error?: StanzaError) => void

export interface RegistryPorts {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly limits: CoreLimits
  readonly storage: Pick<StorageBackend, 'ownerGet'>
  /** Whether the account exists. `isProven`: who asks has just proven to be the account. */
  readonly exists: (jid: Jid, isProven: boolean) => Promise<boolean> | boolean
}

const SWEEP_PERIOD_MS = 5_000

export class AccountRegistry {
  readonly #ports: RegistryPorts
  readonly #warm = new Map<string, LocalAccount>()
  readonly #loading = new Map<string, Waiter[]>()
  /** Temporary accounts about to be loaded. */
  readonly #temporary = new Set<string>()
  readonly slots: AccountSlots
  readonly #sweep
  #warmedCount = 0

  constructor(ports: RegistryPorts) {
    this.#ports = ports
    this.slots = new AccountSlots(ports.storage)
    this.#sweep = ports.clock.every(SWEEP_PERIOD_MS, () => this.unloadIdle())
    ports.metrics.observedGauge('rollcall_accounts_warm', 'Accounts held in memory.', () => this.#warm.size)
    ports.metrics.observedGauge('rollcall_accounts_loading', 'Accounts being loaded from storage.', () => this.#loading.size)
  }

  stop(): void {
    this.#sweep.cancel()
  }

  warm(bareJid: Jid): LocalAccount | undefined {
    return this.#warm.get(bareJid.toString())
  }

  /** How often accounts became warm so far. */
  get warmedCount(): number {
    return this.#warmedCount
  }

  /** Whether such an account is being loaded. */
  isLoading(isMeant: (jid: Jid) => boolean): boolean {
    for (const [text] of this.#loading) if (isMeant(parseJid(text))) return true
    return false
  }

  all(): Iterable<LocalAccount> {
    return this.#warm.values()
  }

  /** Runs `waiter` with the account: at once when it is warm, else after loading, in the order of the calls. */
  use(bareJid: Jid, waiter: Waiter, isProven = false): void {
    const key = bareJid.toString()
    const account = this.#warm.get(key)
    if (account !== undefined) {
      account.lastUsedAt = Math.floor(this.#ports.clock.monotonic())
      waiter(account)
      return
    }
    const queue = this.#loading.get(key)
    if (queue !== undefined) {
      if (queue.length >= this.#ports.limits.loadingQueueMax) waiter(undefined, new StanzaError('resource-constraint'))
      else queue.push(waiter)
      return
    }
    this.#loading.set(key, [waiter])
    void this.#load(bareJid, key, isProven)
  }

  /** As `use`, for the account of an ANONYMOUS login, which is nowhere but in memory. */
  useTemporary(bareJid: Jid, waiter: Waiter): void {
    const key = bareJid.toString()
    if (!this.#warm.has(key)) this.#temporary.add(key)
    this.use(bareJid, waiter)
  }

  /** Installs an account that was handed over instead of loaded. */
  install(account: LocalAccount): void {
    account.lastUsedAt = Math.floor(this.#ports.clock.monotonic())
    this.evict(account.jid)
    account.isWarm = true
    this.#warm.set(account.jid.toString(), account)
    this.#warmedCount++
  }

  /** Forgets a warm account without any ceremony: removal and hand-off. */
  evict(bareJid: Jid): void {
    const key = bareJid.toString()
    const account = this.#warm.get(key)
    if (account === undefined) return
    account.isWarm = false
    this.#warm.delete(key)
  }

  /** Unloads accounts that nobody is connected to and nobody asked for lately. */
  unloadIdle(): void {
    const { idleAccountMs, idleAccountsMax } = this.#ports.limits
    const idle: LocalAccount[] = []
    for (const account of this.#warm.values()) if (account.sessions.size === 0) idle.push(account)
    const deadline = this.#ports.clock.monotonic() - idleAccountMs
    // Insertion order is close to age order, so that what is over the limit is the oldest.
    const excess = idle.length - idleAccountsMax
    idle.forEach((account, i) => {
      if (i < excess || account.lastUsedAt <= deadline) this.evict(account.jid)
    })
  }

  async #load(bareJid: Jid, key: string, isProven: boolean): Promise<void> {
    let account: LocalAccount | undefined
    let failure: StanzaError | undefined
    try {
      const isTemporary = this.#temporary.delete(key)
      const isThere = isTemporary || this.#ports.exists(bareJid, isProven)
      const states = this.slots.load(bareJid)
      const [isReally, loaded] = typeof isThere === 'boolean' ? [isThere, await states] : await Promise.all([isThere, states])
      if (isReally) this.install(account = new LocalAccount(bareJid, loaded, isTemporary))
    } catch (error) {
      this.#ports.log.error('account-load-failed', { account: key, error })
      failure = new StanzaError('resource-constraint', 'The account cannot be loaded now', { type: 'wait' })
    }
    const queue = this.#loading.get(key) ?? []
    this.#loading.delete(key)
    for (const waiter of queue) this.#run(waiter, account, failure)
  }

  #run(waiter: Waiter, account: LocalAccount | undefined, failure: StanzaError | undefined): void {
    try {
      waiter(account, failure)
    } catch (error) {
      this.#ports.log.error('account-waiter-failed', { error })
    }
  }
}
