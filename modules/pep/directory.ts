/**
 * Which accounts have nodes whose last item is sent to those who come online: asked at each login about each contact, so
 * it must answer without loading the contact's account.
 *
 * Remembered are the names of such nodes, in most cases none. An entry is forgotten after a while, because the account
 * may have been served by another member in between; access is decided elsewhere, on the loaded account.
 */
import type { Clock } from '@rollcall/ports'
import { pepDefaults } from './pubsub/config.ts'
import type { NodeConfig } from './pubsub/config.ts'
import type { PepRepository } from './repository.ts'

const AGE_MAX_MS = 600_000
const NO_NAMES: readonly string[] = []

/** Two generations: what was not used in the last one is forgotten with it. */
export class Directory {
  readonly #repository: PepRepository
  readonly #clock: Clock
  readonly #accountsMax: number
  #young = new Map<string, readonly string[]>()
  #old = new Map<string, readonly string[]>()
  #since: number

  constructor(repository: PepRepository, clock: Clock, accountsMax: number) {
    this.#repository = repository
    this.#clock = clock
    this.#accountsMax = accountsMax
    this.#since = clock.monotonic()
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The names of an account's nodes, if they are remembered. */
  peek(account: string): readonly string[] | undefined {
    return this.#young.get(account) ?? this.#old.get(account)
  }

  async names(account: string): Promise<readonly string[]> {
    const known = this.peek(account)
    if (known !== undefined) return known
    const records = await this.#repository.nodes(account)
    const names = [...records].filter(([, { config }]) => isSent({ ...pepDefaults, ...config })).map(([name]) => name)
    this.#set(account, names)
    return names
  }

  /** The nodes of an account changed. */
  note(account: string, nodes: Iterable<{ readonly name: string; readonly config: NodeConfig }>): void {
    this.#set(account, [...nodes].filter(({ config }) => isSent(config)).map(({ name }) => name))
  }

  #set(account: string, names: readonly string[]): void {
    const now = this.#clock.monotonic()
    if (this.#young.size >= this.#accountsMax / 2 || now - this.#since > AGE_MAX_MS) {
      this.#old = now - this.#since > 2 * AGE_MAX_MS ? new Map() : this.#young
      this.#young = new Map()
      this.#since = now
    }
    this.#old.delete(account)
    this.#young.set(account, names.length === 0 ? NO_NAMES : names)
  }
}

function isSent({ sendLast }: NodeConfig): boolean {
  return sendLast === 'on_sub_and_presence'
}
