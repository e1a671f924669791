/** Who is there: presence of accounts and its exchange with their contacts (RFC 6121 §4). */
import {
  accountRemoving, Accounts, defineModule, inboundPresence, keyvalStore, option, outbound, outboundPresence, PresenceEnvelopes,
  PresenceFanOut, priorityChanged, resourceAvailable, resourceUnavailable, Router, sessionAdopted, sessionResumed, sessionUnbound, Shards,
} from '@rollcall/module-api'
import type { Session, SessionSlot } from '@rollcall/module-api'
import { Clock, Load, Log, Metrics } from '@rollcall/ports'
import type { HistogramMetric } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { Stanza } from '@rollcall/stanza'
import { Roster } from '../roster/port.ts'
import { AbsentContacts } from './absent-contacts.ts'
import { DirectedPresence } from './directed.ts'
import { FanOut } from './fan-out.ts'
import { LastPresences } from './last-presences.ts'
import { Pacer } from './pacer.ts'
import type { PacerPorts } from './pacer.ts'
import { Presence } from './port.ts'
import type { LastPresence } from './port.ts'
import { PresenceService } from './presence-service.ts'
import { Probes } from './probes.ts'
import { ShardLaw } from './shard-law.ts'

/** Bounds of the histogram of times, in seconds: from a busy turn to brown-out. */
const SECONDS = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5]

export default defineModule({
  name: 'presence',
  summary: 'Tells contacts when people come, change and go, and answers who is there.',
  implements: [{ rfc: 6121, version: '2011', status: 'partial', note: 'section 4; rosters and routing are elsewhere' }],
  config: {
    directedMax: option.integer(1000, 1, 100_000, 'Entities that one session may send directed presence to at a time.'),
    lastBytesMax: option.integer(1024, 0, 65_536, 'Bytes of the last unavailable presence that are kept for probes.'),
    deliveriesPerSecondMax: option.integer(
      0, 0, 100_000_000, 'Presence deliveries a second of one member; beyond it changes wait longer and only the last counts. 0: no limit.',
    ),
    shardGroups: option.integer(
      64, 0, 65_536, 'Groups of shards by which metrics count presence, seven samples each. 4096: every shard by itself; 0: none.',
    ),
  },
  stores: { lasts: keyvalStore<LastPresence>('last_presence') },
  needs: {
    router: Router, envelopes: PresenceEnvelopes, accounts: Accounts, roster: Roster, shards: Shards, clock: Clock, load: Load, log: Log, metrics: Metrics,
  },
  provides: [Presence, PresenceFanOut],
  setup(context) {
    const { config, ports, stores } = context
    const { accounts, clock, envelopes, load, log, metrics, roster, router } = ports
    const deliveries = metrics.counter('rollcall_deliveries_total', 'Stanzas given to sessions.', { kind: 'presence' })
    const probeCounter = (by: string) => metrics.counter('rollcall_presence_probes_answered_total', 'Presence probes answered.', { by })
    const directed = new DirectedPresence(config.directedMax, (slot) => context.sessionSlot(slot))
    const lasts = new LastPresences(stores.lasts, clock, log)
    const law = new ShardLaw(ports.shards, metrics, config.shardGroups)
    const pacer = new Pacer({
      clock, load, law, budget: config.deliveriesPerSecondMax,
      audience: (account) => service.audience(account),
      maySee: (account, contact) => service.maySee(account, contact),
      broadcast: (stanza, targets) => router.broadcast(stanza, targets),
      ...pacerMetrics(metrics),
    })
    const fromMembers = fromMembersSeconds(metrics)
    metrics.observedGauge('rollcall_presence_budget', 'Deliveries a second that are allowed; 0: no limit.', () => config.deliveriesPerSecondMax)
    metrics.observedGauge('rollcall_presence_waiting', 'Accounts of which a change waits.', () => pacer.size)
    metrics.observedGauge('rollcall_presence_window_seconds', 'How long changes wait now.', () => pacer.windowMs / 1000)
    const absent = new AbsentContacts(router)
    const fanOut = new FanOut({
      accounts, roster, router, envelopes, directed, absent, deliveries, law,
      delivered: (count) => pacer.spend(count),
    })
    const probes = new Probes({
      router, roster, directed, lasts, answered: probeCounter('stanza'), answeredFromMemory: probeCounter('memory'), answeredToMembers: probeCounter('member'),
    })
    const service = new PresenceService({
      router, accounts, roster, clock, metrics, directed, absent, fanOut, probes, lasts, pacer, law, deliveries, lastBytesMax: config.lastBytesMax,
      becameAvailable: (session, presence) => context.emit(resourceAvailable, { session, presence }),
      changedPriority: (session, before) => context.emit(priorityChanged, { session, before }),
      becameUnavailable: (session, presence) => context.emit(resourceUnavailable, { session, presence }),
    })
    context.provide(PresenceFanOut, {
      deliver: (stanza, targets, admission) => {
        if (stanza.type === 'probe') return service.probed(stanza, targets)
        fanOut.deliver(stanza, targets, admission)
        if (stanza.changedAt !== 0 && !router.isHere(stanza.from as Jid)) fromMembers.observe(Math.max(0, clock.now() - stanza.changedAt) / 1000)
      },
      answered: (to, answer) => service.answered(to, answer),
      settle: (account) => void pacer.settle(account.jid),
    })
    context.provide(Presence, {
      addVeto: (hidesFrom) => service.addVeto(hidesFrom),
      reveal: (account, contact) => service.reveal(account, contact),
      conceal: (account, contact) => service.conceal(account, contact),
      told: (account) => service.told(account),
      ask: (account, contact) => service.ask(account, contact),
      last: (account) => lasts.read(account.bare.toString()),
    })
    context.on(outbound, 'late', ({ session, stanza }) => {
      if (pacer.size > 0) settleBefore(pacer, session.jid, stanza)
    })
    context.on(outboundPresence, 'normal', (event) => service.sent(event))
    context.on(inboundPresence, 'normal', (event) => service.came(event))
    context.on(sessionUnbound, 'normal', (event) => service.ended(event))
    const behind = context.sessionSlot(behindState)
    context.on(sessionAdopted, 'normal', ({ session }) => session.set(behind, true))
    context.on(sessionResumed, 'normal', ({ session }) => (isTaken(session, behind) ? service.refresh(session) : undefined))
    context.on(accountRemoving, 'normal', ({ account }) => lasts.forget(account.jid.toString()))
    context.onStop(() => {
      pacer.settleAll()
      return lasts.flush()
    })
  },
})

function pacerMetrics(metrics: Metrics): Pick<PacerPorts, 'coalesced' | 'damped' | 'seconds'> {
  return {
    coalesced: metrics.counter('rollcall_presence_coalesced_total', 'Changes that were superseded before contacts were told.'),
    damped: metrics.counter('rollcall_presence_damped_total', 'Resources that were back as they were before contacts were told.'),
    seconds: metrics.histogram('rollcall_presence_seconds', 'Time from a change to the end of its broadcast.', SECONDS),
  }
}

function fromMembersSeconds(metrics: Metrics): HistogramMetric {
  return metrics.histogram(
    'rollcall_presence_from_members_seconds', 'Time from a change on another member until the contacts of this one are told.', SECONDS,
  )
}

/** What its client was told of contacts was lost with a member. */
const behindState = { slotName: 'presence-behind', version: 1, exportState: () => true, importState: (): true => true }

/** Whether the mark was there; it is not any more. */
function isTaken(session: Session, mark: SessionSlot<true>): boolean {
  const isThere = session.get(mark) === true
  session.set(mark, undefined)
  return isThere
}

/** Whatever else a resource sends, who gets it learns first how the resource is. */
function settleBefore(pacer: Pacer, sender: Jid, { kind, to, type }: Stanza): void {
  if (kind === 'presence') {
    const isState = to === undefined && (type === '' || type === 'unavailable')
    // Subscriptions change who is told.
    if (!isState) pacer.settle(sender)
  } else if (to !== undefined && !to.bareEquals(sender)) {
    pacer.settleFor(sender, to)
  } else if (kind === 'iq' && type === 'set') {
    // What is published goes to contacts.
    pacer.settle(sender)
  }
}
