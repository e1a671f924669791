/** What personal eventing offers to other modules: publishing for an account, reading, and hearing of publications. */
import { definePort } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { Account } from '@rollcall/module-api'
import type { DataForm } from '@rollcall/protocol'
import type { XmlElement } from '@rollcall/xml'

export { pepItemStore, pepNodeStore } from './repository.ts'
export type { ItemRow } from './repository.ts'

export interface PepItem {
  readonly id: string
  readonly payload: XmlElement | undefined
}

/** The publication is answered when the promise has settled; it must not reject, nor wait for another publication. */
export type PublishedHandler = (account: Account, node: string, item: PepItem) => void | Promise<void>

export interface Pep {
  /**
   * Publishes as the account itself. `options` are preconditions, and the configuration of a node that is made for it
   * (XEP-0060 §7.1.5). Settles when it is stored and told; rejects with the `StanzaError` that a client would get.
   */
  publish(account: Account, node: string, itemId: string, payload: XmlElement, options?: DataForm): Promise<void>
  /** One item by id, for the account itself. */
  item(account: Account, node: string, itemId: string): Promise<PepItem | undefined>
  /** Whether everybody who `reader` stands for may read the node; false when there is none. */
  mayRead(account: Account, node: string, reader: Jid): Promise<boolean>
  /** Called after an item of that node was stored and told, for every account, in the order of publication. */
  onPublished(node: string, handler: PublishedHandler): void
}
export const Pep = definePort<Pep>('pep')
