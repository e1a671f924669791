/**
 * The nodes of one account in memory, loaded when somebody first needs them and gone when the account is.
 *
 * Every account carries a holder of one field; what follows exists for accounts that were asked. Changes are made one
 * after the other (`turn`), each stored before it is in force and told. Reading needs no turn: what is in memory is what
 * is stored.
 */
import type { Json } from '@rollcall/ports'
import { tryParseJid } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'
import { PubsubNode } from './pubsub/node.ts'
import type { Item, NodeRecord } from './pubsub/node.ts'
import type { PepRepository } from './repository.ts'
import { RemoteResources } from './resource.ts'

/** What each warm account has; the rest is made on demand. */
export interface NodesHolder {
  nodes: AccountNodes | undefined
}

/** Changes of one account that wait for storage; further ones are refused with `resource-constraint`. */
const TURNS_MAX = 100

export class AccountNodes {
  readonly owner: string
  /** Resources of other servers that were seen. */
  readonly remote: RemoteResources
  /** Nobody may change anything any more: the account is being removed. */
  isClosed = false
  readonly #repository: PepRepository
  #nodes: Map<string, PubsubNode> | undefined = undefined
  #nodesLoading: Promise<Map<string, PubsubNode>> | undefined = undefined
  #items: Promise<void> | undefined = undefined
  #turn: Promise<unknown> = Promise.resolve()
  #turns = 0
  #bytes = 0

  constructor(owner: string, repository: PepRepository, remoteMax: number) {
    this.owner = owner
    this.remote = new RemoteResources(remoteMax)
    this.#repository = repository
  }

  /** The nodes, if they are loaded. */
  get known(): ReadonlyMap<string, PubsubNode> | undefined {
    return this.#nodes
  }

  /** Bytes of all payloads; right once `loadItems` has settled. */
  get bytes(): number {
    return this.#bytes
  }

  /** The nodes; a promise only when they must be read. */
  load(): ReadonlyMap<string, PubsubNode> | Promise<ReadonlyMap<string, PubsubNode>> {
    if (this.#nodes !== undefined) return this.#nodes
    return this.#nodesLoading ??= this.#readNodes().finally(() => { this.#nodesLoading = undefined })
  }

  /** Settles when every node knows its items. */
  loadItems(): Promise<void> {
    return this.#items ??= this.#readItems().catch((error: unknown) => {
      this.#items = undefined
      throw error
    })
  }

  /** Runs a change after those asked for earlier; settles as it does. */
  async turn<T>(change: (nodes: ReadonlyMap<string, PubsubNode>) => Promise<T>): Promise<T> {
    if (this.#turns >= TURNS_MAX) throw new StanzaError('resource-constraint', 'Too many changes at once')
    const run = async () => {
      const nodes = await this.load()
      if (this.isClosed) throw new StanzaError('service-unavailable')
      return change(nodes)
    }
    const work = this.#turn.then(run, run)
    this.#turn = work
    this.#turns++
    try {
      return await work
    } finally {
      this.#turns--
    }
  }

  /** The last item; read when it is not known. Never one that was replaced or deleted meanwhile. */
  async lastItem(node: PubsubNode): Promise<Item | undefined> {
    while (node.last === undefined) {
      const { revision } = node
      const stored = node.config.persistItems ? await this.#repository.lastItem(this.owner, node.name) : undefined
      if (revision === node.revision) node.last = stored ?? null
    }
    return node.last ?? undefined
  }

  // ------------------------------------------------------------------------- what was stored comes into force

  addNode(name: string, record: NodeRecord): PubsubNode {
    const node = new PubsubNode(name, record, null)
    this.#nodes?.set(name, node)
    return node
  }

  removeNode(node: PubsubNode): void {
    this.removeItems(node, [...node.items.keys()])
    this.#nodes?.delete(node.name)
  }

  addItem(node: PubsubNode, item: Item, entryId: string): void {
    this.removeItems(node, [item.id])
    node.items.set(item.id, { id: item.id, entryId, at: item.at, bytes: item.payload.length, publisher: item.publisher })
    node.last = item
    node.revision++
    this.#bytes += item.payload.length
  }

  /** Takes the last item of a node that keeps none. */
  passItem(node: PubsubNode, item: Item): void {
    node.last = item
    node.revision++
  }

  removeItems(node: PubsubNode, ids: readonly string[]): void {
    node.revision++
    for (const id of ids) {
      this.#bytes -= node.items.get(id)?.bytes ?? 0
      node.items.delete(id)
      // The one before is the last now; it is read when it is needed.
      if (node.last?.id === id) node.last = undefined
    }
  }

  // ------------------------------------------------------------------------- hand-over

  /** What is not in storage: last items of nodes that keep none, and who is there elsewhere. */
  exportState(): Json {
    const transient = [...this.#nodes?.values() ?? []].filter((node) => !node.config.persistItems && node.last)
    return {
      last: transient.map((node) => [node.name, { ...node.last as Item }]),
      remote: this.remote.exportState(),
    }
  }

  #handedOver: ReadonlyMap<string, Item> = new Map()

  importState(json: Json): void {
    const { last, remote } = json as { last: readonly (readonly [string, Item])[]; remote: readonly (readonly [string, readonly string[] | null])[] }
    this.#handedOver = new Map(last)
    for (const [text, wants] of remote) {
      const jid = tryParseJid(text)
      if (jid !== undefined) this.remote.restore(jid, wants)
    }
  }

  async #readNodes(): Promise<Map<string, PubsubNode>> {
    const records = await this.#repository.nodes(this.owner)
    this.#nodes = new Map([...records].map(([name, record]) => [name, new PubsubNode(name, record, this.#handedOver.get(name))]))
    this.#handedOver = new Map()
    return this.#nodes
  }

  async #readItems(): Promise<void> {
    const nodes = await this.load()
    const superseded: string[] = []
    const found: { readonly node: PubsubNode; readonly ref: Parameters<PubsubNode['items']['set']>[1] }[] = []
    for await (const { node: name, ref } of this.#repository.refs(this.owner)) {
      const node = nodes.get(name)
      // Left over from a crash between two writes of one change.
      if (node === undefined) superseded.push(ref.entryId)
      else found.push({ node, ref })
    }
    for (const { node, ref } of found) {
      const older = node.items.get(ref.id)
      if (older !== undefined) {
        superseded.push(older.entryId)
        this.#bytes -= older.bytes
        node.items.delete(ref.id)
      }
      node.items.set(ref.id, ref)
      this.#bytes += ref.bytes
    }
    await this.#repository.deleteItems(this.owner, superseded)
  }
}
