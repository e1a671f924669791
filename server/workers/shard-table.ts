/**
 * The shard map of one member: which member owns which shard, and which shards are on the move.
 *
 * Owners come from rendezvous hashing: of the members that are there, each shard belongs to the one with the highest hash of
 * (member, shard). A member that goes leaves its shards to all others in equal parts, one that comes takes its part from all
 * others, and no other shard moves.
 */
import type { Jid } from '@rollcall/jid'
import type { MemberId } from '@rollcall/ports'
import { SHARD_COUNT, shardOf } from '../protocol/placement.ts'
import type { Placement } from '../protocol/placement.ts'

/** Per shard an index into `members`; throws `RangeError` without members. */
export function rendezvous(members: readonly MemberId[]): number[] {
  if (members.length === 0) throw new RangeError('Shards need a member')
  const seeds = members.map(seedOf)
  return Array.from({ length: SHARD_COUNT }, (_, shard) => {
    let best = 0
    let bestScore = -1
    seeds.forEach((seed, index) => {
      const score = scramble(seed ^ Math.imul(shard + 1, 0x9e3779b1))
      if (score <= bestScore) return
      best = index
      bestScore = score
    })
    return best
  })
}

function seedOf(member: MemberId): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < member.length; i++) hash = Math.imul(hash ^ member.charCodeAt(i), 0x01000193)
  return scramble(hash)
}

/** The finalizer of MurmurHash3: every bit of the input changes every bit of the result with even odds. */
function scramble(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

export class ShardTable implements Placement {
  /** Of the map that holds; 0 before the first one. */
  epoch = 0
  readonly #memberId: MemberId
  /** 1 for a shard that is here and stays: every stanza asks. */
  readonly #isOwn = new Uint8Array(SHARD_COUNT)
  /** '' while nobody owns the shard. */
  #owners: MemberId[] = Array.from({ length: SHARD_COUNT }, () => '')
  /** Before the last change. */
  #ownersBefore: readonly MemberId[] = this.#owners
  /** Before the first map everything is on its way. */
  #moving: ReadonlySet<number> | 'all' = 'all'

  constructor(memberId: MemberId) {
    this.#memberId = memberId
  }

  memberOf(jid: Jid): MemberId {
    return this.#owners[shardOf(jid)] as MemberId
  }

  isHere(jid: Jid): boolean {
    return this.#isOwn[shardOf(jid)] === 1
  }

  /** Whether the shard was here before the last change. */
  wasHere(jid: Jid): boolean {
    return this.#ownersBefore[shardOf(jid)] === this.#memberId
  }

  /** Whether nothing may be sent to the entity now. */
  isMoving(jid: Jid): boolean {
    return this.#moving === 'all' || (this.#moving.size > 0 && this.#moving.has(shardOf(jid)))
  }

  /** Puts a map in force whose changed shards are on the move until `settle`; answers how many there are. */
  begin(owners: readonly MemberId[]): number {
    const moving = new Set<number>()
    owners.forEach((owner, shard) => {
      if (owner !== this.#owners[shard]) moving.add(shard)
    })
    this.#ownersBefore = this.#owners
    this.#owners = [...owners]
    this.#setMoving(moving)
    return moving.size
  }

  settle(epoch: number): void {
    this.epoch = epoch
    this.#setMoving(new Set())
  }

  #setMoving(moving: ReadonlySet<number>): void {
    this.#moving = moving
    this.#owners.forEach((owner, shard) => {
      this.#isOwn[shard] = owner === this.#memberId && !moving.has(shard) ? 1 : 0
    })
  }
}
