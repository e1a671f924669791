/**
 * Personal eventing (XEP-0163): every account is a publish-subscribe service for its owner and its contacts.
 *
 * The folder `pubsub` is what any such service needs: nodes, access, events, pages. Around it are the things that only an
 * account has: a roster that decides, resources that are told by what they want to hear of, and last items at login.
 */
import {
  accountRemoving, Accounts, defineModule, inbound, option, resourceAvailable, Router,
} from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import { Clock, Log, Metrics, Random } from '@rollcall/ports'
import { NS_PUBSUB, Pubsub, PubsubOwner } from '@rollcall/protocol'
import type { Stanza } from '@rollcall/stanza'
import { parseElement } from '@rollcall/xml'
import { Blocking } from '../blocking/port.ts'
import { Caps } from '../caps/port.ts'
import { Disco } from '../disco/port.ts'
import { Presence } from '../presence/port.ts'
import { Roster } from '../roster/port.ts'
import { AccountNodes } from './account-nodes.ts'
import type { NodesHolder } from './account-nodes.ts'
import { Directory } from './directory.ts'
import { discoItems, discoNode } from './discovery.ts'
import { Greeter } from './greeter.ts'
import { Notifier } from './notifier.ts'
import type { SessionInterest } from './notifier.ts'
import { PepOwnerRequests } from './owner-requests.ts'
import { Pep } from './port.ts'
import type { PublishedHandler } from './port.ts'
import { pepPort } from './pep-port.ts'
import { pepItemStore, pepNodeStore, PepRepository } from './repository.ts'
import { PepRequests } from './requests.ts'
import { PepService } from './service.ts'

/** XEP-0060 §10 by the part after `#`. */
const features = [
  'access-open', 'access-presence', 'access-roster', 'access-whitelist', 'auto-create', 'auto-subscribe', 'config-node', 'config-node-max',
  'create-and-configure', 'create-nodes', 'delete-items', 'delete-nodes', 'filtered-notifications', 'instant-nodes', 'item-ids', 'last-published',
  'manage-subscriptions', 'member-affiliation', 'meta-data', 'modify-affiliations', 'multi-items', 'outcast-affiliation', 'persistent-items',
  'presence-subscribe', 'publish', 'publish-node-full', 'publish-only-affiliation', 'publish-options', 'publisher-affiliation', 'pubsub-on-a-jid',
  'purge-nodes', 'retract-items', 'retrieve-affiliations', 'retrieve-default', 'retrieve-items', 'retrieve-subscriptions', 'rsm', 'subscribe',
  'subscription-notifications',
]

export default defineModule({
  name: 'pep',
  summary: 'Lets people publish to their contacts and to themselves, such as avatars, keys and bookmarks.',
  implements: [
    { xep: 60, version: '1.30.0', status: 'partial', note: 'the nodes of accounts; no access model authorize, subscription options or collections' },
    { xep: 163, version: '1.2.2', status: 'complete', note: 'notifications do not name the publishing resource (XEP-0033)' },
    { xep: 222, version: '1.0', status: 'complete' },
    { xep: 223, version: '1.1.1', status: 'complete' },
  ],
  features: { account: [NS_PUBSUB, ...features.map((feature) => `${NS_PUBSUB}#${feature}`)] },
  config: {
    nodesMax: option.integer(250, 1, 100_000, 'Nodes of one account.'),
    itemsMax: option.integer(2_000, 1, 1_000_000, 'Items of one node.'),
    itemBytesMax: option.integer(262_144, 1_024, 16_777_216, 'Largest payload of an item, in bytes of XML.'),
    accountBytesMax: option.integer(16_777_216, 1_024, 1_073_741_824, 'All payloads of one account together, in bytes.'),
    answerBytesMax: option.integer(262_144, 1_024, 16_777_216, 'Payload bytes of one answer; more is told in pages.'),
    subscribersMax: option.integer(1_000, 1, 100_000, 'Explicit subscriptions, and affiliations, of one node.'),
    remoteMax: option.integer(2_000, 1, 100_000, 'Resources of other servers that one account keeps in mind.'),
    directoryMax: option.integer(200_000, 100, 10_000_000, 'Accounts of which it is remembered whether they have something to tell at a login.'),
    greetingsMax: option.integer(100_000, 100, 10_000_000, 'Contacts that wait to be asked for their last items after logins.'),
  },
  stores: { nodes: pepNodeStore, items: pepItemStore },
  needs: { accounts: Accounts, router: Router, roster: Roster, caps: Caps, disco: Disco, clock: Clock, random: Random, log: Log, metrics: Metrics },
  wants: { blocking: Blocking, presence: Presence },
  provides: [Pep],
  setup({ config, stores, ports, accountSlot, sessionSlot, provide, on, onIqGet, onIqSet }) {
    const { clock, log, metrics, roster } = ports
    const now = () => clock.now()
    const repository = new PepRepository(stores.nodes, stores.items)
    const slot = accountSlot<NodesHolder>({
      slotName: 'pep',
      version: 1,
      load: () => ({ nodes: undefined }),
      exportState: ({ nodes }) => nodes === undefined ? null : { owner: nodes.owner, state: nodes.exportState() },
      importState: (json) => {
        if (json === null) return { nodes: undefined }
        const { owner, state } = json as { owner: string; state: Parameters<AccountNodes['importState']>[0] }
        const nodes = new AccountNodes(owner, repository, config.remoteMax)
        nodes.importState(state)
        return { nodes }
      },
    })
    const stateOf = (account: Account) => account.get(slot).nodes ??= new AccountNodes(account.jid.toString(), repository, config.remoteMax)
    // What a session wants is found out anew where it moves to.
    const interestSlot = sessionSlot<SessionInterest | null>({
      slotName: 'pep-interest', version: 1, exportState: () => null, importState: () => null,
    })
    const notifier = new Notifier({ ...ports, now, interestSlot })
    const directory = new Directory(repository, clock, config.directoryMax)
    metrics.observedGauge('rollcall_pep_directory', 'Accounts of which it is remembered what they tell at a login.', () => directory.size)
    const greeter = new Greeter({ ...ports, notifier, directory, stateOf, greetingsMax: config.greetingsMax })
    metrics.observedGauge('rollcall_pep_greetings', 'Contacts that wait to be asked for their last items.', () => greeter.waiting)
    const publications = metrics.counter('rollcall_pep_publications_total', 'Items published at nodes of accounts.')
    const handlers = new Map<string, PublishedHandler[]>()
    const service = new PepService({
      ...ports, repository, notifier, directory, now, limits: config, stateOf,
      published: async (account, node, item) => {
        publications.add(1)
        const payload = item.payload === '' ? undefined : parseElement(item.payload, '')
        for (const handler of handlers.get(node) ?? []) await handler(account, node, { id: item.id, payload })
      },
    })
    provide(Pep, pepPort(service, repository, stateOf, handlers))
    const requests = new PepRequests({ service, repository, now, answerBytesMax: config.answerBytesMax, stateOf })
    const ownerRequests = new PepOwnerRequests(service, stateOf)
    onIqGet(Pubsub, 'account', (request) => requests.get(request))
    onIqSet(Pubsub, 'account', (request) => requests.set(request))
    onIqGet(PubsubOwner, 'account', (request) => ownerRequests.get(request))
    onIqSet(PubsubOwner, 'account', (request) => ownerRequests.set(request))
    ports.disco.addIdentity('account', { category: 'pubsub', type: 'pep' })
    ports.disco.addItems('account', (query) => discoItems(stateOf, service, query))
    ports.disco.addNode('account', (node, query) => discoNode(stateOf, service, node, query))
    on(resourceAvailable, 'late', ({ session }) => greeter.came(session))
    // Those of this member are known without being heard.
    const isFromElsewhere = (_: Account, { from }: Stanza): boolean => from !== undefined && !ports.router.isHere(from)
    on(inbound, 'late', ({ account, stanza }) => greeter.heard(account, stanza), { kinds: ['presence'], concerns: isFromElsewhere })
    roster.onWatcherAdded((account, contact) => greeter.subscribed(account, contact))
    roster.onWatcherRemoved((account, contact) => {
      service.lostWatcher(account, contact).catch((error: unknown) => log.warn('pep-subscriptions-kept', { account: account.jid.toString(), error }))
    })
    on(accountRemoving, 'normal', ({ account }) => {
      stateOf(account).isClosed = true
      directory.note(account.jid.toString(), [])
    })
  },
})
