/** Who is there: presence of accounts and its exchange with their contacts (RFC 6121 §4). */
import {
  accountRemoving, Accounts, defineModule, inboundPresence, keyvalStore, option, outboundPresence, PresenceFanOut, priorityChanged,
  resourceAvailable, resourceUnavailable, Router, sessionUnbound,
} from '@rollcall/module-api'
import { Clock, Log, Metrics } from '@rollcall/ports'
import { Roster } from '../roster/port.ts'
import { DirectedPresence } from './directed.ts'
import { FanOut } from './fan-out.ts'
import { LastPresences } from './last-presences.ts'
import { Presence } from './port.ts'
import type { LastPresence } from './port.ts'
import { PresenceService } from './presence-service.ts'
import { Probes } from './probes.ts'

export default defineModule({
  name: 'presence',
  summary: 'Tells contacts when people come, change and go, and answers who is there.',
  implements: [{ rfc: 6121, version: '2011', status: 'partial', note: 'section 4; rosters and routing are elsewhere' }],
  config: {
    directedMax: option.integer(1000, 1, 100_000, 'Entities that one session may send directed presence to at a time.'),
    lastBytesMax: option.integer(1024, 0, 65_536, 'Bytes of the last unavailable presence that are kept for probes.'),
  },
  stores: { lasts: keyvalStore<LastPresence>('last_presence') },
  needs: { router: Router, accounts: Accounts, roster: Roster, clock: Clock, log: Log, metrics: Metrics },
  provides: [Presence, PresenceFanOut],
  setup(context) {
    const { config, ports, stores } = context
    const { accounts, clock, log, metrics, roster, router } = ports
    const deliveries = metrics.counter('rollcall_deliveries_total', 'Stanzas given to sessions.', { kind: 'presence' })
    const probeCounter = (by: string) => metrics.counter('rollcall_presence_probes_answered_total', 'Presence probes answered.', { by })
    const directed = new DirectedPresence(config.directedMax, (slot) => context.sessionSlot(slot))
    const lasts = new LastPresences(stores.lasts, clock, log)
    const fanOut = new FanOut({ accounts, roster, router, directed, deliveries })
    const probes = new Probes({
      router, roster, directed, lasts, answered: probeCounter('stanza'), answeredFromMemory: probeCounter('memory'),
    })
    const service = new PresenceService({
      router, accounts, roster, clock, metrics, directed, fanOut, probes, lasts, deliveries, lastBytesMax: config.lastBytesMax,
      becameAvailable: (session, presence) => context.emit(resourceAvailable, { session, presence }),
      changedPriority: (session, before) => context.emit(priorityChanged, { session, before }),
      becameUnavailable: (session, presence) => context.emit(resourceUnavailable, { session, presence }),
    })
    context.provide(PresenceFanOut, fanOut)
    context.provide(Presence, {
      addVeto: (hidesFrom) => service.addVeto(hidesFrom),
      reveal: (account, contact) => service.reveal(account, contact),
      conceal: (account, contact) => service.conceal(account, contact),
      told: (account) => service.told(account),
      ask: (account, contact) => service.ask(account, contact),
      last: (account) => lasts.read(account.bare.toString()),
    })
    context.on(outboundPresence, 'normal', (event) => service.sent(event))
    context.on(inboundPresence, 'normal', (event) => service.came(event))
    context.on(sessionUnbound, 'normal', (event) => service.ended(event))
    context.on(accountRemoving, 'normal', ({ account }) => lasts.forget(account.jid.toString()))
    context.onStop(() => lasts.flush())
  },
})
