/**
 * Many sockets written with one system call: io_uring, through Node's foreign functions.
 *
 * How it works: a presence goes to many sockets, and each write is a call of its own, after which the process returns to
 * JavaScript while the reader it has woken falls asleep again. A ring of requests in memory that is shared with the kernel takes
 * them all at once (io_uring_setup(2), io_uring_enter(2)): the bytes of a batch stand in one buffer, one request a socket, and when
 * the call returns every request has been tried, for none may wait (`MSG_DONTWAIT`). Figures: bench/results/presence.txt.
 *
 * Some systems forbid io_uring (containers with Docker's default profile), only Linux has it, and not every Node can ask for it
 * (`foreign.ts`): `writeRing` then says undefined, and the caller writes socket by socket.
 */
import { foreignFunctions } from './foreign.ts'
import type { ForeignFunctions } from './foreign.ts'

type SystemCall = (number: bigint, a: bigint, b: bigint, c: bigint, d: bigint, e: bigint, f: bigint) => bigint
type MapMemory = (address: bigint, length: bigint, protection: number, flags: number, fd: number, offset: bigint) => bigint

/** Requests of one call. */
export const RING_WRITES_MAX = 64
/** Bytes of one call. */
export const RING_BYTES_MAX = 262_144

/** What `resultOf` says of a request that the kernel has not looked at. */
export const NOT_TRIED = -0x8000_0000

// The same on every processor; include/uapi/linux/io_uring.h.
const SYS_IO_URING_SETUP = 425n
const SYS_IO_URING_ENTER = 426n
/** All requests are tried, whatever becomes of the first; this thread alone uses the ring, and is not interrupted for it. */
const SETUP_FLAGS = (1 << 7) | (1 << 8) | (1 << 12)
/** One mapping holds both queues (Linux 5.4). */
const FEATURE_SINGLE_MMAP = 1
const OFFSET_SQES = 0x1000_0000n
const OPCODE_SEND = 26
const MSG_DONTWAIT_NOSIGNAL = 0x4040
const PROT_READ_WRITE = 3
const MAP_SHARED_POPULATE = 0x8001

/** Places in `struct io_uring_params`, in words. */
const PARAMS_WORDS = 30
const [FLAGS, FEATURES] = [2, 5]
const SQ = { tail: 11, entries: 0, array: 16, head: 10 } as const
const CQ = { head: 20, tail: 21, entries: 1, cqes: 25 } as const
const SQE_WORDS = 16
const CQE_WORDS = 4

interface Mapped {
  readonly fd: number
  /** Both queues, and the requests. */
  readonly queues: Int32Array
  readonly requests: Int32Array
  readonly params: Int32Array
}

/** Requests are added, tried together by `submit`, and asked for their results; then the next round begins. */
export class WriteRing {
  readonly #system: SystemCall
  readonly #fd: bigint
  readonly #queues: Int32Array
  readonly #requests: Int32Array
  readonly #bytes = Buffer.alloc(RING_BYTES_MAX)
  readonly #address: number
  readonly #results = new Int32Array(RING_WRITES_MAX)
  readonly #sqHead: number
  readonly #sqTail: number
  readonly #cqHead: number
  readonly #cqTail: number
  readonly #cqes: number
  readonly #cqMask: number
  #count = 0
  #byteCount = 0

  constructor(system: SystemCall, addressOf: (bytes: Uint8Array) => bigint, { fd, queues, requests, params }: Mapped) {
    this.#system = system
    this.#fd = BigInt(fd)
    this.#queues = queues
    this.#requests = requests
    // Addresses of user space have 47 bits.
    this.#address = Number(addressOf(this.#bytes))
    const word = (place: number) => (params[place] as number) >> 2
    this.#sqHead = word(SQ.head)
    this.#sqTail = word(SQ.tail)
    this.#cqHead = word(CQ.head)
    this.#cqTail = word(CQ.tail)
    this.#cqes = word(CQ.cqes)
    this.#cqMask = (params[CQ.entries] as number) - 1
    // A request's place is always its own: the queue of places says so once and for all.
    for (let i = 0; i < RING_WRITES_MAX; i++) queues[word(SQ.array) + i] = i
  }

  /** Adds a write of a wire string, or of bytes, to a file descriptor. False, and nothing is done, when it does not fit any more. */
  add(fd: number, wire: string | Uint8Array): boolean {
    const { length } = wire
    if (this.#count === RING_WRITES_MAX || this.#byteCount + length > RING_BYTES_MAX) return false
    if (typeof wire === 'string') this.#bytes.write(wire, this.#byteCount, length, 'latin1')
    else this.#bytes.set(wire, this.#byteCount)
    const address = this.#address + this.#byteCount
    const requests = this.#requests
    const tail = this.#queues[this.#sqTail] as number
    const at = (tail & (RING_WRITES_MAX - 1)) * SQE_WORDS
    requests[at] = OPCODE_SEND
    requests[at + 1] = fd
    requests[at + 4] = address | 0
    requests[at + 5] = address / 0x1_0000_0000
    requests[at + 6] = length
    requests[at + 7] = MSG_DONTWAIT_NOSIGNAL
    requests[at + 8] = this.#count
    this.#queues[this.#sqTail] = (tail + 1) | 0
    this.#results[this.#count++] = NOT_TRIED
    this.#byteCount += length
    return true
  }

  /** Tries all that was added; their number. */
  submit(): number {
    const count = this.#count
    this.#count = 0
    this.#byteCount = 0
    this.#system(SYS_IO_URING_ENTER, this.#fd, BigInt(count), 0n, 0n, 0n, 0n)
    const queues = this.#queues
    const tail = queues[this.#cqTail] as number
    let head = queues[this.#cqHead] as number
    for (; head !== tail; head = (head + 1) | 0) {
      const at = this.#cqes + (head & this.#cqMask) * CQE_WORDS
      this.#results[queues[at] as number] = queues[at + 2] as number
    }
    queues[this.#cqHead] = head
    // What the kernel did not come to is the caller's again.
    queues[this.#sqTail] = queues[this.#sqHead] as number
    return count
  }

  /** Of the request added as number `index`: bytes taken, the negative of an errno, or `NOT_TRIED`. */
  resultOf(index: number): number {
    return this.#results[index] as number
  }
}

let ofThread: WriteRing | undefined
let isLookedFor = false

/** The ring of this thread; undefined where there is none. */
export function writeRing(): WriteRing | undefined {
  if (!isLookedFor && process.platform === 'linux') ofThread = openRing()
  isLookedFor = true
  return ofThread
}

function openRing(): WriteRing | undefined {
  const foreign = foreignFunctions()
  if (foreign === undefined) return undefined
  try {
    return mapRing(foreign)
  } catch {
    return undefined
  }
}

function mapRing(foreign: ForeignFunctions): WriteRing | undefined {
  const { functions } = foreign.dlopen(null, {
    syscall: { arguments: ['int64', 'int64', 'int64', 'int64', 'int64', 'int64', 'int64'], return: 'int64' },
    mmap: { arguments: ['pointer', 'uint64', 'int32', 'int32', 'int32', 'int64'], return: 'pointer' },
  })
  const { syscall: system, mmap: map } = functions as unknown as { syscall: SystemCall; mmap: MapMemory }
  const params = new Int32Array(PARAMS_WORDS)
  params[FLAGS] = SETUP_FLAGS
  const fd = Number(system(SYS_IO_URING_SETUP, BigInt(RING_WRITES_MAX), foreign.getRawPointer(params), 0n, 0n, 0n, 0n))
  if (fd < 0 || ((params[FEATURES] as number) & FEATURE_SINGLE_MMAP) === 0) return undefined
  const words = (byteCount: number, offset: bigint) => {
    const pointer = map(0n, BigInt(byteCount), PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, offset)
    if (BigInt.asIntN(64, pointer) < 0n) throw new Error('the ring cannot be mapped')
    return new Int32Array(foreign.toArrayBuffer(pointer, byteCount, false))
  }
  const sqBytes = (params[SQ.array] as number) + RING_WRITES_MAX * 4
  const cqBytes = (params[CQ.cqes] as number) + (params[CQ.entries] as number) * CQE_WORDS * 4
  const queues = words(Math.max(sqBytes, cqBytes), 0n)
  return new WriteRing(system, (bytes) => foreign.getRawPointer(bytes), { fd, queues, requests: words(RING_WRITES_MAX * SQE_WORDS * 4, OFFSET_SQES), params })
}
