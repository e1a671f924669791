/**
 * Connections that are not read, and whose peer goes: whoever does not read does not see it, so the kernel is asked, for many at once
 * (poll(2), through `foreign.ts`). Where that is impossible nobody is said to be gone.
 */
import { foreignFunctions } from './foreign.ts'

/** Something with a descriptor; -1 when there is none any more. */
export interface Described {
  readonly fd: number
}

/** Entries of `struct pollfd`, two words each: the descriptor; events that are asked for, and above them those that are. */
const POLL_WORDS = 2
/** The peer has ended its direction (Linux). Error, hang-up and a descriptor that is none are told unasked. */
const POLLRDHUP = 0x2000

type Poll = (entries: bigint, count: bigint, timeoutMs: number) => number
let entries = new Int32Array(0)
let addressOf: ((bytes: Int32Array) => bigint) | undefined
let poll: Poll | undefined
let isLookedFor = false

/** Whether the system can be asked: elsewhere somebody who waits and is gone is found out when their turn comes. */
export function knowsHungUp(): boolean {
  if (!isLookedFor) findPoll()
  return poll !== undefined
}

/** The places of those among `connections` whose peer has ended its direction, or is gone; none where the system cannot be asked. */
export function hungUp(connections: readonly Described[]): readonly number[] {
  if (!isLookedFor) findPoll()
  if (poll === undefined || addressOf === undefined || connections.length === 0) return []
  if (entries.length < connections.length * POLL_WORDS) entries = new Int32Array(connections.length * POLL_WORDS)
  connections.forEach(({ fd }, at) => {
    entries[at * POLL_WORDS] = fd
    entries[at * POLL_WORDS + 1] = POLLRDHUP
  })
  if (poll(addressOf(entries), BigInt(connections.length), 0) <= 0) return []
  const places: number[] = []
  for (let at = 0; at < connections.length; at++) if ((entries[at * POLL_WORDS + 1] as number) >>> 16 !== 0) places.push(at)
  return places
}

function findPoll(): void {
  isLookedFor = true
  const foreign = process.platform === 'linux' ? foreignFunctions() : undefined
  if (foreign === undefined) return
  try {
    const { functions } = foreign.dlopen(null, { poll: { arguments: ['pointer', 'uint64', 'int32'], return: 'int32' } })
    poll = functions.poll as unknown as Poll
    addressOf = (bytes) => foreign.getRawPointer(bytes)
  } catch {
    // Then nobody is known to be gone.
  }
}
