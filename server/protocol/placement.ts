/**
 * Where an entity lives: bare JID → shard → member.
 *
 * A shard is one of a fixed number of hash slots over bare JIDs. One process owns them all; in a cluster the shard map
 * says who owns which, at which epoch. Everything that addresses an entity asks a `Placement`, so that the rest of the
 * code is the same in both.
 */
import type { Jid } from '@rollcall/jid'
import type { MemberId } from '@rollcall/ports'

/** Fixed for the life of a deployment: changing it moves every entity. */
export const SHARD_COUNT = 4096

/** FNV-1a over the UTF-16 units of the bare JID: cheap, stable across versions, spread well enough over 4096 slots. */
export function shardOf(bareJid: Jid): number {
  const text = bareJid.bare.toString()
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % SHARD_COUNT
}

export interface Placement {
  /** The member that owns the entity's shard now. */
  memberOf(jid: Jid): MemberId
  /** Whether that is this member. */
  isHere(jid: Jid): boolean
}

/** One member owns every shard. */
export function singleMember(memberId: MemberId): Placement {
  return { memberOf: () => memberId, isHere: () => true }
}
