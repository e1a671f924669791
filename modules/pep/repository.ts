/**
 * Nodes and items in storage.
 *
 * A node is a row of a map; an item an entry of an archive, because an archive keeps the order of publication. An entry's
 * id is the publication's, not the item's: so a republished item is first appended and then deleted under its old id, and
 * a crash in between leaves two of which the newer counts, never none.
 */
import { archiveStore, mapStore } from '@rollcall/module-api'
import type { Archive, ArchiveEntry, MapStore } from '@rollcall/ports'
import { fromWire, toWire } from '@rollcall/xml'
import type { Item, ItemRef, NodeRecord } from './pubsub/node.ts'

export interface ItemRow {
  readonly id: string
  /** Bare JID; '' for the owner. */
  readonly publisher: string
  /** XML of the payload with its namespace; '' when there is none. */
  readonly payload: string
}

export const pepNodeStore = mapStore<NodeRecord>('pep_nodes')
/** `with` is the name of the node. */
export const pepItemStore = archiveStore<ItemRow>('pep_items')

/** Entries read at a time. */
const PAGE_MAX = 100

export class PepRepository {
  readonly #nodes: MapStore<NodeRecord>
  readonly #items: Archive<ItemRow>

  constructor(nodes: MapStore<NodeRecord>, items: Archive<ItemRow>) {
    this.#nodes = nodes
    this.#items = items
  }

  nodes(owner: string): Promise<Map<string, NodeRecord>> {
    return this.#nodes.all(owner)
  }

  saveNode(owner: string, name: string, record: NodeRecord): Promise<void> {
    return this.#nodes.set(owner, name, record)
  }

  /** Deletes a node and the entries of its items. */
  async deleteNode(owner: string, name: string, entryIds: readonly string[]): Promise<void> {
    await Promise.all([this.deleteItems(owner, entryIds), this.#nodes.delete(owner, name)])
  }

  /** Stores an item and deletes others, in this order. */
  async addItem(owner: string, node: string, entryId: string, item: Item, displaced: readonly string[]): Promise<void> {
    const value = { id: item.id, publisher: item.publisher, payload: fromWire(item.payload) }
    const stored = this.#items.append(owner, { id: entryId, at: item.at, with: node, value })
    await Promise.all([stored, this.deleteItems(owner, displaced)])
  }

  async deleteItems(owner: string, entryIds: readonly string[]): Promise<void> {
    if (entryIds.length > 0) await this.#items.delete(owner, entryIds)
  }

  /** Every item of the account, oldest first, without payloads. */
  async *refs(owner: string): AsyncIterable<{ readonly node: string; readonly ref: ItemRef }> {
    let after: string | undefined
    for (;;) {
      const page = await this.#items.query(owner, { limit: PAGE_MAX, ...(after !== undefined && { after }) })
      for (const { id, at, with: node, value } of page.entries) {
        yield { node, ref: { id: value.id, entryId: id, at, bytes: toWire(value.payload).length, publisher: value.publisher } }
      }
      after = page.entries.at(-1)?.id
      if (page.isComplete || after === undefined) return
    }
  }

  /** The items, in the order of `refs`; those that are gone meanwhile are left out. */
  async items(owner: string, refs: readonly ItemRef[]): Promise<Item[]> {
    const found = new Map<string, Item>()
    for (let start = 0; start < refs.length; start += PAGE_MAX) {
      const ids = refs.slice(start, start + PAGE_MAX).map((ref) => ref.entryId)
      const page = await this.#items.query(owner, { ids, limit: ids.length })
      for (const entry of page.entries) found.set(entry.id, itemOf(entry))
    }
    return refs.flatMap((ref) => found.get(ref.entryId) ?? [])
  }

  /** The item that was published last at a node. */
  async lastItem(owner: string, node: string): Promise<Item | undefined> {
    const { entries: [entry] } = await this.#items.query(owner, { with: node, limit: 1, isBackward: true })
    return entry === undefined ? undefined : itemOf(entry)
  }
}

function itemOf({ at, value }: ArchiveEntry<ItemRow>): Item {
  return { id: value.id, at, publisher: value.publisher, payload: toWire(value.payload) }
}
