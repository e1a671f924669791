/**
 * A node as it is in memory: configuration, affiliations, subscriptions, and which items there are. Payloads are not here,
 * except that of the last item, which everybody who comes online is told.
 */
import type { PubsubAffiliationName } from '@rollcall/protocol'
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { pepDefaults, sparse } from './config.ts'
import type { NodeConfig } from './config.ts'

/** One item, without payload. */
export interface ItemRef {
  readonly id: string
  /** Its entry in the archive of items; a republished item gets another one. */
  readonly entryId: string
  /** ms since the Unix epoch. */
  readonly at: number
  /** Bytes of the payload. */
  readonly bytes: number
  /** Bare JID of who published it; '' for the owner. */
  readonly publisher: string
}

/** An item with its payload. */
export interface Item {
  readonly id: string
  readonly at: number
  readonly publisher: string
  /** Wire string of the payload with its namespace declared; '' when there is none. */
  readonly payload: string
}

/** What is stored of a node. */
export interface NodeRecord {
  readonly config: Partial<NodeConfig>
  /** Affiliations by bare JID; the owner of the account is not among them. */
  readonly affiliations: Readonly<Record<string, PubsubAffiliationName>>
  /** Explicit subscriptions: bare or full JIDs. */
  readonly subscribers: readonly string[]
  /** ms since the Unix epoch. */
  readonly createdAt: number
}

export class PubsubNode {
  readonly name: string
  readonly createdAt: number
  config: NodeConfig
  affiliations: ReadonlyMap<string, PubsubAffiliationName>
  subscribers: ReadonlyMap<string, Jid>
  /** In the order of publication. Complete only when the account's items were loaded. */
  readonly items = new Map<string, ItemRef>()
  /** Null: there is none. Undefined: not known yet. */
  last: Item | null | undefined
  /** Changes with the items. */
  revision = 0

  constructor(name: string, record: NodeRecord, last: Item | null | undefined) {
    this.name = name
    this.createdAt = record.createdAt
    this.config = { ...pepDefaults, ...record.config }
    this.affiliations = new Map(Object.entries(record.affiliations))
    this.subscribers = new Map(record.subscribers.flatMap((text) => {
      const jid = tryParseJid(text)
      return jid === undefined ? [] : [[text, jid] as const]
    }))
    this.last = last
  }

  affiliationOf(jid: Jid): PubsubAffiliationName {
    return this.affiliations.get(jid.bare.toString()) ?? 'none'
  }

  /** The entity has subscribed, with whatever resource. */
  subscriptionsOf(jid: Jid): Jid[] {
    return [...this.subscribers.values()].filter((subscriber) => subscriber.bareEquals(jid))
  }

  /** The record with some parts changed. */
  record(changes: {
    readonly config?: NodeConfig
    readonly affiliations?: ReadonlyMap<string, PubsubAffiliationName>
    readonly subscribers?: ReadonlyMap<string, Jid>
  } = {}): NodeRecord {
    return {
      config: sparse(changes.config ?? this.config),
      affiliations: Object.fromEntries(changes.affiliations ?? this.affiliations),
      subscribers: [...(changes.subscribers ?? this.subscribers).keys()],
      createdAt: this.createdAt,
    }
  }
}

/** Whether the item has outlived the node's configuration. */
export function isExpired({ at }: { readonly at: number }, { itemExpire }: NodeConfig, now: number): boolean {
  return itemExpire !== 'max' && at + itemExpire * 1000 <= now
}

/**
 * What makes room for a new item: expired ones, and the oldest beyond the limit. `id` is the new item's: the one that it
 * replaces needs no room.
 */
export function displaced(node: PubsubNode, id: string, limit: number, now: number): { readonly expired: ItemRef[]; readonly oldest: ItemRef[] } {
  const others = [...node.items.values()].filter((item) => item.id !== id)
  const expired = others.filter((item) => isExpired(item, node.config, now))
  const kept = others.filter((item) => !expired.includes(item))
  return { expired, oldest: kept.slice(0, Math.max(0, kept.length + 1 - limit)) }
}
