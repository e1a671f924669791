/**
 * The law by shards: which part of the accounts makes the presence.
 *
 * How it works: the shards are counted in groups of neighbours, as many groups as the operator asks for, because every label
 * costs those who store metrics. Accounts lie in shards by a hash, so that a group far above the others means a few accounts
 * that very many watch, or that change all the time; with as many groups as shards it says which shard. All is counted for the
 * sender, on whichever member it happens: sums over members are sums for the group.
 */
import type { Shards } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { CounterMetric, Metrics } from '@rollcall/ports'

interface Group {
  readonly changes: CounterMetric
  readonly predicted: CounterMetric
  readonly delivered: CounterMetric
  readonly suppressed: CounterMetric
  readonly coalesced: CounterMetric
  readonly told: CounterMetric
  readonly seconds: CounterMetric
}

export class ShardLaw {
  readonly #shards: Shards
  readonly #groups: readonly Group[]

  /** `groupCount` is rounded down to a divisor of the number of shards; 0 counts nothing. */
  constructor(shards: Shards, metrics: Metrics, groupCount: number) {
    this.#shards = shards
    let count = Math.min(groupCount, shards.count)
    while (count > 0 && shards.count % count !== 0) count--
    this.#groups = Array.from({ length: count }, (_, at) => groupOf(metrics, rangeOf(at, shards.count / count)))
  }

  /** A change that `watcherCount` contacts may see. */
  changed(account: Jid, watcherCount: number): void {
    const group = this.#find(account)
    group?.changes.add(1)
    group?.predicted.add(watcherCount)
  }

  /** One that says nothing new. */
  suppressed(account: Jid): void {
    const group = this.#find(account)
    group?.changes.add(1)
    group?.suppressed.add(1)
  }

  /** One that a newer one replaced before anybody was told. */
  coalesced(account: Jid): void {
    this.#find(account)?.coalesced.add(1)
  }

  /** So many sessions were given a presence of the account. */
  delivered(account: Jid, count: number): void {
    this.#find(account)?.delivered.add(count)
  }

  /** All contacts were told, so many seconds after the change. */
  told(account: Jid, seconds: number): void {
    const group = this.#find(account)
    group?.told.add(1)
    group?.seconds.add(seconds)
  }

  #find(account: Jid): Group | undefined {
    const { length } = this.#groups
    if (length === 0) return undefined
    return this.#groups[Math.floor((this.#shards.of(account) * length) / this.#shards.count)]
  }
}

function rangeOf(at: number, size: number): string {
  return size === 1 ? String(at) : `${at * size}-${(at + 1) * size - 1}`
}

function groupOf(metrics: Metrics, shards: string): Group {
  const counter = (name: string, help: string) => metrics.counter(`rollcall_presence_shards_${name}_total`, help, { shards })
  return {
    changes: counter('changes', 'Changes of presence, by shards of the sender.'),
    predicted: counter('predicted', 'Deliveries that the changes would cost if every contact were there, by shards of the sender.'),
    delivered: counter('delivered', 'Broadcast presence given to sessions, by shards of the sender.'),
    suppressed: counter('suppressed', 'Changes that said nothing new, by shards of the sender.'),
    coalesced: counter('coalesced', 'Changes that were superseded before contacts were told, by shards of the sender.'),
    told: counter('told', 'Changes of which all contacts were told, by shards of the sender.'),
    seconds: counter('seconds', 'Time from these changes to the end of their broadcasts, in seconds, by shards of the sender.'),
  }
}
