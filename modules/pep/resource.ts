/**
 * A connected client, ours or of elsewhere, and which nodes it wants to hear of (XEP-0060 §9.2).
 *
 * What a client wants may have to be asked first. Until it has answered, what is for it waits here in order, so that
 * an event that was published meanwhile neither gets lost nor is overtaken.
 */
import type { Jid } from '@rollcall/jid'
import type { Json } from '@rollcall/ports'
import { NS_CAPS, NS_CAPS_2 } from '@rollcall/protocol'
import type { Stanza } from '@rollcall/stanza'
import type { FeatureSet } from '../caps/port.ts'

/** Names of nodes. */
export type Wants = ReadonlySet<string>

const NOTIFY = '+notify'
const WAITING_MAX = 100
const wantsNothing: Wants = new Set()
/** Clients with the same features share one set. */
const cache = new WeakMap<FeatureSet, Wants>()

/** The nodes that the features ask for. */
export function wantsOf(features: FeatureSet | undefined): Wants {
  if (features === undefined) return wantsNothing
  let wants = cache.get(features)
  if (wants === undefined) {
    const names = [...features].filter((feature) => feature.endsWith(NOTIFY)).map((feature) => feature.slice(0, -NOTIFY.length))
    cache.set(features, wants = names.length === 0 ? wantsNothing : new Set(names))
  }
  return wants
}

/** Whether a presence says what its client supports; others want nothing and are not asked (XEP-0163 §4.3.2). */
export function showsCaps(presence: Stanza): boolean {
  return presence.has('c', NS_CAPS) || presence.has('c', NS_CAPS_2)
}

type Use = (wants: Wants) => void

export class Resource {
  readonly jid: Jid
  #wants: Wants | undefined
  #waiting: { readonly topic: string; readonly use: Use }[] | undefined = undefined

  constructor(jid: Jid, features: FeatureSet | undefined | Promise<FeatureSet | undefined>) {
    this.jid = jid
    if (!(features instanceof Promise)) {
      this.#wants = wantsOf(features)
      return
    }
    this.#waiting = []
    features.then((found) => this.#resolve(wantsOf(found)), () => this.#resolve(wantsNothing))
  }

  static wanting(jid: Jid, wants: Iterable<string>): Resource {
    const resource = new Resource(jid, undefined)
    resource.#wants = new Set(wants)
    return resource
  }

  /** Undefined while the client is being asked. */
  get wants(): Wants | undefined {
    return this.#wants
  }

  /** Calls `use` in order: now, or when it is known what the client wants. `topic` is for `isWaiting`. */
  when(topic: string, use: Use): void {
    if (this.#wants !== undefined) use(this.#wants)
    else if (this.#waiting !== undefined && this.#waiting.length < WAITING_MAX) this.#waiting.push({ topic, use })
  }

  /** Something about the topic waits behind what is being done now. */
  isWaiting(topic: string): boolean {
    return this.#waiting?.some((entry) => entry.topic === topic) ?? false
  }

  #resolve(wants: Wants): void {
    for (let next = this.#waiting?.shift(); next !== undefined; next = this.#waiting?.shift()) next.use(wants)
    this.#waiting = undefined
    this.#wants = wants
  }
}

/** Resources of other servers that the account has heard from: available, and allowed to see its presence. */
export class RemoteResources {
  readonly #max: number
  #resources: Map<string, Resource> | undefined = undefined

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#resources?.size ?? 0
  }

  get(jid: Jid): Resource | undefined {
    return this.#resources?.get(jid.toString())
  }

  /** Remembers one; beyond the limit the one heard from the longest ago is forgotten. */
  set(resource: Resource): void {
    const resources = this.#resources ??= new Map()
    resources.delete(resource.jid.toString())
    resources.set(resource.jid.toString(), resource)
    if (resources.size <= this.#max) return
    for (const oldest of resources.keys()) {
      resources.delete(oldest)
      return
    }
  }

  delete(jid: Jid): void {
    this.#resources?.delete(jid.toString())
  }

  /** Forgets the resources of an account. */
  deleteBare(jid: Jid): void {
    for (const resource of this.all()) if (resource.jid.bareEquals(jid)) this.delete(resource.jid)
  }

  clear(): void {
    this.#resources = undefined
  }

  /** May be walked while it changes. */
  all(): Resource[] {
    return this.#resources === undefined ? [] : [...this.#resources.values()]
  }

  exportState(): Json {
    return this.all().map((resource) => [resource.jid.toString(), resource.wants === undefined ? null : [...resource.wants]])
  }

  restore(jid: Jid, wants: readonly string[] | null): void {
    // One that was being asked is heard from again when it next changes; it must not be greeted twice.
    this.set(Resource.wanting(jid, wants ?? []))
  }
}
