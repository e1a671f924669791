/** Contact lists and presence subscriptions (RFC 6121 §2 and §3, Appendix A). */
import { accountRemoving, Accounts, defineModule, inboundPresence, option, outboundPresence, Router } from '@rollcall/module-api'
import { Clock, Log, Metrics } from '@rollcall/ports'
import { PreApprovalFeature, RosterVersioningFeature } from '@rollcall/protocol'
import { Roster } from './port.ts'
import { RosterRequest } from './request.ts'
import { rosterPort } from './roster-port.ts'
import { RosterService } from './roster-service.ts'
import { rosterStore } from './rows.ts'

export default defineModule({
  name: 'roster',
  summary: 'Contact lists, their groups and names, and who may see whose presence.',
  implements: [
    { rfc: 6121, version: '2011', status: 'partial', note: 'sections 2 and 3; presence and routing are elsewhere' },
    { xep: 237, version: '1.3', status: 'complete' },
  ],
  config: {
    itemsMax: option.integer(1000, 1, 100_000, 'Contacts in one roster.'),
    groupsMax: option.integer(64, 1, 1000, 'Groups of one contact.'),
    textCharactersMax: option.integer(1023, 16, 10_000, 'Characters of the name of a contact or a group.'),
    requestsMax: option.integer(200, 1, 10_000, 'Subscription requests that wait for one account; further ones are ignored.'),
    requestBytesMax: option.integer(2048, 128, 65_536, 'Bytes of a waiting subscription request; a larger one is kept without its content.'),
  },
  stores: { rows: rosterStore },
  needs: { router: Router, accounts: Accounts, clock: Clock, log: Log, metrics: Metrics },
  provides: [Roster],
  setup(context) {
    const { config, ports, stores } = context
    const service = new RosterService({ ...ports, store: stores.rows, limits: config }, (slot) => context.accountSlot(slot))
    context.provide(Roster, rosterPort({ service, accounts: ports.accounts, clock: ports.clock, store: stores.rows }))
    context.onIqGet(RosterRequest, 'self', (request) => service.get(request))
    context.onIqSet(RosterRequest, 'self', (request) => service.set(request))
    context.on(outboundPresence, 'normal', (event) => service.sent(event))
    context.on(inboundPresence, 'normal', (event) => service.came(event))
    context.on(accountRemoving, 'late', ({ account }) => service.endAccount(account))
    const features = RosterVersioningFeature.toWire({}) + PreApprovalFeature.toWire({})
    context.streamFeature('after-auth', () => features)
    context.onStop(() => service.stop())
  },
})
