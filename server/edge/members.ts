/**
 * An edge among several members (ADR 0012): what it does while shards change hands, and for sessions whose core died.
 */
import type { Jid } from '@rollcall/jid'
import type { MemberId } from '@rollcall/ports'
import type { RestoreSession } from '../protocol/member-messages.ts'
import type { FromClient } from '../protocol/placement.ts'
import type { Hub, HubMember } from './hub.ts'
import { HOLD_MOVE } from './stages.ts'

export class EdgeMembers {
  readonly #hub: Hub

  constructor(hub: Hub) {
    this.#hub = hub
  }

  /** Stops reading clients whose account is on the move. */
  holdMoving(isMoving: (account: Jid) => boolean): void {
    for (const connection of this.#clients()) if (isMoving(connection.jid)) connection.hold(HOLD_MOVE)
  }

  /**
   * Reads them again, for the cores that have their accounts now. `died`: cores that died meanwhile, and whose sessions are announced in the
   * next change only. Those that they had not handed over wait for that as they are.
   */
  releaseMoved(coreOf: (account: Jid) => MemberId, died: ReadonlySet<MemberId>): void {
    for (const connection of this.#clients()) {
      const core = coreOf(connection.jid)
      const { remote } = connection
      if (died.has(connection.core) && remote !== undefined && remote.record !== '' && remote.teller !== core) continue
      connection.moveTo(core)
    }
  }

  /**
   * Sessions held here whose core died, for its successors. `unconfirmed`: stanzas per connection that it may not have handled;
   * among them are connections that are gone, but of which it had not been told.
   */
  orphans(core: MemberId, unconfirmed: ReadonlyMap<object, number>): RestoreSession[] {
    const { nowMs } = this.#hub
    const orphans: RestoreSession[] = []
    const held = [...this.#clients()].filter((connection) => connection.core === core)
    for (const connection of new Set<HubMember>([...held, ...unconfirmed.keys() as Iterable<HubMember>])) {
      const { id, jid, remote } = connection
      // Without a record the core had not bound it: then there is no session.
      if (jid === undefined || remote === undefined || remote.record === '') continue
      const stream = remote.stream(unconfirmed.get(connection) ?? 0)
      orphans.push({
        kind: 'restore', conn: id, account: jid.bare.toString(), record: remote.record, recent: remote.recent(nowMs),
        ...(stream === undefined ? {} : { stream }),
      })
    }
    return orphans
  }

  /** Whether the successor of a core is to get this again. */
  mayResend(message: FromClient, connection: object): boolean {
    if (message.kind !== 'client-nonza') return true
    const { name } = message.element
    // What it acknowledged and that counting began the edge knows itself.
    return name !== 'a' && !(name === 'enable' && (connection as HubMember).remote?.isManaged === true)
  }

  *#clients(): Iterable<HubMember & { readonly jid: Jid }> {
    for (const connection of this.#hub.connections.values()) if (isClient(connection)) yield connection
  }
}

/** Bound, and not a component: those are of a domain. */
function isClient(connection: HubMember): connection is HubMember & { readonly jid: Jid } {
  return connection.stage === 'bound' && connection.jid !== undefined && connection.jid.localpart !== ''
}
