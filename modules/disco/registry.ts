/** What modules have registered with service discovery, and the answers that are made of it. */
import type { Jid } from '@rollcall/jid'
import type { ServerInfo } from '@rollcall/module-api'
import { DataForm } from '@rollcall/protocol'
import type { DiscoIdentity, DiscoInfo, DiscoItem } from '@rollcall/protocol'
import type { Disco, DiscoNode, DiscoQuery, DiscoScope } from './port.ts'

interface ScopeEntries {
  readonly identities: DiscoIdentity[]
  readonly forms: Parameters<Disco['addForm']>[1][]
  readonly items: Parameters<Disco['addItems']>[1][]
  readonly nodes: Parameters<Disco['addNode']>[1][]
}

const noEntries = (): ScopeEntries => ({ identities: [], forms: [], items: [], nodes: [] })

export class DiscoRegistry implements Disco {
  readonly #scopes: Readonly<Record<DiscoScope, ScopeEntries>> = { host: noEntries(), account: noEntries() }
  readonly #server: ServerInfo

  constructor(server: ServerInfo) {
    this.#server = server
  }

  addIdentity(scope: DiscoScope, identity: DiscoIdentity): void {
    this.#scopes[scope].identities.push(identity)
  }

  addForm(scope: DiscoScope, read: ScopeEntries['forms'][number]): void {
    this.#scopes[scope].forms.push(read)
  }

  addItems(scope: DiscoScope, read: ScopeEntries['items'][number]): void {
    this.#scopes[scope].items.push(read)
  }

  addNode(scope: DiscoScope, find: ScopeEntries['nodes'][number]): void {
    this.#scopes[scope].nodes.push(find)
  }

  hostInfo(host: Jid): DiscoInfo {
    return this.info('host', host)
  }

  /** Information about an entity itself. */
  info(scope: DiscoScope, entity: Jid): DiscoInfo {
    const { identities, forms } = this.#scopes[scope]
    return {
      identities,
      features: this.#server.features(scope).map((feature) => ({ var: feature })),
      // Through the codec, so that what is answered and what is hashed (XEP-0115) are the same forms.
      forms: forms.flatMap((read) => read(entity) ?? []).map((form) => DataForm.decode(DataForm.encode(form))),
    }
  }

  async items(scope: DiscoScope, query: DiscoQuery): Promise<DiscoItem[]> {
    const items: DiscoItem[] = []
    for (const read of this.#scopes[scope].items) items.push(...await read(query))
    return items
  }

  async node(scope: DiscoScope, node: string, query: DiscoQuery): Promise<DiscoNode | undefined> {
    for (const find of this.#scopes[scope].nodes) {
      const found = await find(node, query)
      if (found !== undefined) return found
    }
    return undefined
  }
}
