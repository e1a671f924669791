/** What service discovery offers to other modules: telling more about hosts and accounts, and nodes of their own. */
import { definePort } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { Account } from '@rollcall/module-api'
import type { DataFormInput, DiscoIdentity, DiscoInfo, DiscoItem } from '@rollcall/protocol'

/** Whose information: that of hosts, or of accounts as their server tells it. */
export type DiscoScope = 'host' | 'account'

/** One question. For accounts it is only asked on behalf of somebody who may see the account's presence. */
export interface DiscoQuery {
  readonly from: Jid
  /** The bare JID asked about. */
  readonly to: Jid
  /** The account asked about; undefined for a host. */
  readonly account: Account | undefined
}

/** What a node tells; either part may throw a `StanzaError`. */
export interface DiscoNode {
  /** Without `node`, which the answer mirrors by itself. */
  info(): Omit<DiscoInfo, 'node'>
  items(): readonly DiscoItem[]
}

/** Everything is registered at set-up and read at each question, in the order of registration. */
export interface Disco {
  addIdentity(scope: DiscoScope, identity: DiscoIdentity): void
  /** A form in the information of every host, or account (XEP-0128); undefined when there is none for this one. */
  addForm(scope: DiscoScope, read: (entity: Jid) => DataFormInput | undefined): void
  addItems(scope: DiscoScope, read: (query: DiscoQuery) => Iterable<DiscoItem> | Promise<Iterable<DiscoItem>>): void
  /** Nodes by any name; `find` answers undefined for names that are not its own. */
  addNode(scope: DiscoScope, find: (node: string, query: DiscoQuery) => DiscoNode | undefined | Promise<DiscoNode | undefined>): void
  /** What a host tells everybody about itself. */
  hostInfo(host: Jid): DiscoInfo
}
export const Disco = definePort<Disco>('disco')
