/** Browsers of accounts, in storage: a few rows per account, read only when one of them is to be told something. */
import { jidOf, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { BrowserSubscription, Clock, MapStore, Random } from '@rollcall/ports'

/** A type, not an interface, so that it counts as JSON. */
export type SubscriptionRow = {
  readonly endpoint: string
  readonly p256dh: string
  readonly auth: string
  /** Goes with every notification, so that nobody else sends any. */
  readonly secret: string
  /** ms since the Unix epoch. */
  readonly at: number
}

export interface Subscription extends SubscriptionRow {
  readonly owner: Jid
  readonly id: string
}

export interface SubscriptionPorts {
  readonly store: MapStore<SubscriptionRow>
  readonly clock: Clock
  readonly random: Random
  readonly subscriptionsMax: number
}

export class Subscriptions {
  readonly #ports: SubscriptionPorts

  constructor(ports: SubscriptionPorts) {
    this.#ports = ports
  }

  /** Adds a browser, or renews its keys. Browsers that are forgotten pile up, so the oldest make room. */
  async put(owner: Jid, { endpoint, p256dh, auth }: BrowserSubscription): Promise<Subscription> {
    const { clock, random, store, subscriptionsMax } = this.#ports
    const rows = [...await store.all(owner.toString())].toSorted(([, one], [, other]) => one.at - other.at)
    const known = rows.find(([, row]) => row.endpoint === endpoint)
    const others = rows.filter((entry) => entry !== known)
    const surplus = others.slice(0, Math.max(0, others.length - subscriptionsMax + 1))
    await Promise.all(surplus.map(([id]) => store.delete(owner.toString(), id)))
    const id = known?.[0] ?? random.id()
    const row = { endpoint, p256dh, auth, secret: known?.[1].secret ?? random.id(), at: clock.now() }
    await store.set(owner.toString(), id, row)
    return { ...row, owner, id }
  }

  /** The subscription behind a node of the host's push service. */
  async find(host: string, node: string): Promise<Subscription | undefined> {
    const place = placeOf(host, node)
    const row = place === undefined ? undefined : await this.#ports.store.get(place.owner.toString(), place.id)
    return place === undefined || row === undefined ? undefined : { ...row, ...place }
  }

  /** Idempotent; only the owner's own nodes. */
  async remove(owner: Jid, node: string): Promise<void> {
    const place = placeOf(owner.domainpart, node)
    if (place?.owner.equals(owner) === true) await this.#ports.store.delete(owner.toString(), place.id)
  }
}

/** A localpart cannot contain the slash. */
export function nodeOf({ owner, id }: Pick<Subscription, 'owner' | 'id'>): string {
  return `${owner.localpart}/${id}`
}

function placeOf(host: string, node: string): { readonly owner: Jid; readonly id: string } | undefined {
  const slash = node.indexOf('/')
  const owner = slash <= 0 ? undefined : tryParseJid(`${node.slice(0, slash)}@${host}`)
  const id = node.slice(slash + 1)
  if (owner === undefined || !/^[\w-]{1,64}$/.test(id)) return undefined
  return { owner: jidOf(owner.localpart, owner.domainpart), id }
}
