/**
 * Where an entity lives: bare JID → shard → member.
 *
 * A shard is one of a fixed number of hash slots over bare JIDs. One process owns them all; with several members the shard
 * map says who owns which, at which epoch (`server/workers/shard-table.ts`). Everything that addresses an entity asks a
 * `Placement`, and a `Carrier` for what is not here, so that the rest of the code is the same in both.
 */
import type { Jid } from '@rollcall/jid'
import type { MemberId } from '@rollcall/ports'
import type { ProbeAnswer } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { EdgeToCore, ServerMessage } from './messages.ts'

/** Fixed for the life of a deployment: changing it moves every entity. */
export const SHARD_COUNT = 4096

/** From a hash of the bare JID that never changes between versions and spreads well enough over 4096 slots. */
export function shardOf(jid: Jid): number {
  return jid.bareHash % SHARD_COUNT
}

export interface Placement {
  /** The member that owns the entity's shard now. */
  memberOf(jid: Jid): MemberId
  /** Whether that is this member, and the entity may be used: it is not on its way to another member, or here. */
  isHere(jid: Jid): boolean
}

/** One member owns every shard. */
export function singleMember(memberId: MemberId): Placement {
  return { memberOf: () => memberId, isHere: () => true }
}

/** What an edge sends to the core of a client, in order and confirmed. */
export type FromClient = Extract<EdgeToCore, { readonly kind: `client-${string}` }>

/**
 * Brings what concerns an entity to the member that owns it. In order per entity, also while it moves; what was sent to a
 * member that died goes to its successor. Nothing is lost while this member lives.
 */
export interface Carrier {
  /** A stanza for an entity that is not here. Settles when what it says is safe there. */
  route(stanza: Stanza): Promise<void>
  /** One stanza for many entities that are not here. */
  broadcast(stanza: Stanza, targets: readonly Jid[]): void
  /** The answer of contacts here to a probe of a session that is not. */
  states(to: Jid, answer: ProbeAnswer): void
  /** Something of a client whose core is another member. `connection` is given back to the edge when that member died. */
  fromClient(core: MemberId, client: Jid, message: FromClient, connection: object): void
  /** Asks the owner of an entity; once more when it dies meanwhile. */
  request(entity: Jid, message: ServerMessage, timeoutMs: number): Promise<unknown>
  /** Whether the entity is on its way from one member to another: nothing of its clients is to be read. */
  isMoving(entity: Jid): boolean
  /** The other members. */
  readonly others: readonly MemberId[]
}
