/**
 * Accepted sockets that are not read yet: what the peer sends stays in the kernel.
 *
 * How it works: Node asks for the first bytes of a socket as it makes it, and keeps what has come, up to 64 KiB, until somebody
 * listens. In the turn in which a socket was accepted nothing of this has reached the kernel, so taking it back costs no system call,
 * and nothing that was read can be lost. `pauseOnConnect` would hold every socket, and make those that nobody wants to wait pay
 * for starting again.
 *
 * Whoever does not read does not see the peer go either: `hungUp` asks the kernel, for many sockets at once (poll(2), through
 * `foreign.ts`). The handle is no public interface; Node is pinned (ADR 0001), and where anything is not as expected the socket is
 * read, or nobody is said to be gone.
 */
import type { Socket } from 'node:net'
import { foreignFunctions } from './foreign.ts'
import { descriptorOf } from './write-batch.ts'

interface ReadHandle {
  /** What `Socket` remembers of it. */
  reading: boolean
  readStart(): number
  readStop(): number
}
const HANDLE = '_handle'
type Handled = Partial<Record<typeof HANDLE, Partial<ReadHandle> | null>>

/** Does not read a socket that was accepted in this turn. */
export function holdRead(socket: Socket): void {
  const handle = handleOf(socket)
  if (handle === undefined) return
  handle.reading = false
  handle.readStop()
}

/** Reads it, as if it had been accepted now. */
export function releaseRead(socket: Socket): void {
  const handle = handleOf(socket)
  if (handle === undefined || handle.reading) return
  handle.reading = true
  if (handle.readStart() !== 0) socket.destroy()
}

function handleOf(socket: Socket): ReadHandle | undefined {
  const handle = (socket as unknown as Handled)[HANDLE]
  return typeof handle?.readStart === 'function' && typeof handle.readStop === 'function' ? (handle as ReadHandle) : undefined
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

/** The places in `sockets` of those whose peer has ended its direction, or is gone; none where the system cannot be asked. */
export function hungUp(sockets: readonly Socket[]): readonly number[] {
  if (!isLookedFor) findPoll()
  if (poll === undefined || addressOf === undefined || sockets.length === 0) return []
  if (entries.length < sockets.length * POLL_WORDS) entries = new Int32Array(sockets.length * POLL_WORDS)
  sockets.forEach((socket, at) => {
    entries[at * POLL_WORDS] = descriptorOf(socket)
    entries[at * POLL_WORDS + 1] = POLLRDHUP
  })
  if (poll(addressOf(entries), BigInt(sockets.length), 0) <= 0) return []
  const places: number[] = []
  for (let at = 0; at < sockets.length; at++) if ((entries[at * POLL_WORDS + 1] as number) >>> 16 !== 0) places.push(at)
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
