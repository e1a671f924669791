/** Puts together what makes a member one of several: shard table, links, membership. */
import type { Bus, Clock, Log, MemberId, Metrics, Random } from '@rollcall/ports'
import type { Core } from '../core/core.ts'
import type { Edge } from '../edge/edge.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import { Links } from './links.ts'
import { Membership } from './membership.ts'
import { ShardTable } from './shard-table.ts'

export interface JoinPorts {
  readonly bus: Bus<ServerMessage>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly coordinator: MemberId
  /** Made after this, from parts of it. */
  readonly core: () => Core
  readonly edge: () => Edge
}

export interface Joined {
  readonly table: ShardTable
  readonly links: Links
  readonly membership: Membership
}

export function joinMembers({ bus, clock, coordinator, core, edge, log, metrics, random }: JoinPorts): Joined {
  const table = new ShardTable(bus.memberId)
  const links = new Links({
    bus, table, clock, random, log, metrics,
    handle: (from, message) => core().service.receive(from, message),
    deliver: (stanza) => core().deliver(stanza),
    expand: (stanza, targets) => core().expand(stanza, targets),
    decided: (stamp) => core().decided(stamp),
    giveUp: (request) => core().members.giveUp(request),
    setReadsHeld: (isHeld) => edge().setReadsHeld(isHeld),
    mayResend: (message, connection) => edge().members.mayResend(message, connection),
  })
  let known: readonly MemberId[] = []
  const membership = new Membership({
    bus, coordinator, table, links, clock, log, metrics,
    core: {
      noteDeaths: (deaths) => core().members.noteDeaths(deaths),
      edgeGone: (member) => core().members.edgeGone(member),
      handOverMoved: () => core().members.handOverMoved(),
      takeOverFrom: (owner, snapshot) => core().members.takeOverFrom(owner, snapshot),
      restore: (from, session) => core().members.restore(from, session),
      adopt: (lost) => core().members.adopt(lost),
    },
    edge: {
      holdMoving: (isMoving) => edge().members.holdMoving(isMoving),
      orphans: (member, unconfirmed) => edge().members.orphans(member, unconfirmed),
      releaseMoved: (coreOf, died) => edge().members.releaseMoved(coreOf, died),
    },
    changed: (others) => {
      for (const member of others) if (!known.includes(member)) core().greet(member)
      known = others
    },
  })
  return { table, links, membership }
}
