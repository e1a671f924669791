/**
 * Room for garbage while there is much to do, given back when it is quiet.
 *
 * How it works: V8 is started with a heap that may grow before it is collected as a whole (`initial-old-space-size`, in
 * `tools/rollcall.mjs`), so that a storm of logins is not interrupted again and again by collections that find little. What is left of
 * it V8 would return after many seconds, and the allocator of C never. So when a time of much work has ended and the member
 * has had nearly nothing to do for two seconds, the heap is collected as a whole, once, and what is free goes back to the system. A member with
 * steady work, little or much, is never interrupted by this: its collections are V8's own, in small steps.
 * Figures and what else was tried: docs/adr/0021-heap-policy.md.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock, Log, Metrics, Timer } from '@rollcall/ports'
import { foreignFunctions } from './foreign.ts'
import { loopShare } from './load.ts'
import type { ReadShare } from './load.ts'

const MIB = 1024 * 1024
/** Time between two looks, in ms. */
const LOOK_MS = 500
/** Share of the event loop that is much work. */
const BUSY_SHARE = 0.3
/** Below this share it is quiet: 10,000 idle connections take 0.2 to 0.4 %, a thousand messages a second 7 %, and those would wait. */
const QUIET_SHARE = 0.01
/** Looks that must be quiet one after the other. */
const QUIET_LOOKS = 4
/** A heap that has grown less since the last time is not worth the interruption, in bytes. */
const GROWTH_BYTES_MIN = 16 * MIB
/** A collection takes 2 ms for each MiB in use, and everybody waits for it: of a larger heap it is left to V8, in bytes. */
export const COLLECTED_BYTES_MAX = 96 * MIB

/** What holds memory and can give it back. */
export interface Memory {
  /** Bytes in use by V8, garbage included, and bytes that it has from the system. */
  heap(): { readonly usedBytes: number; readonly totalBytes: number }
  /** Collects all garbage of V8 at once. */
  collect(): void
  /** Gives the system what the allocator of C holds and nobody uses. */
  trim(): void
}

export interface HeapPolicyPorts {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly memory?: Memory
  readonly readShare?: ReadShare
}

/** Begins to watch; until the timer is cancelled. A start is much work. */
export function giveMemoryBack({ clock, log, metrics, memory = processMemory(), readShare = loopShare() }: HeapPolicyPorts): Timer {
  const seconds = metrics.counter('rollcall_memory_returns_seconds_total', 'Time in which the server stood still to give memory back.')
  let isAfterWork = true
  let quietLooks = 0
  let keptBytes = 0
  const giveBack = (): void => {
    const beganMs = clock.monotonic()
    const { usedBytes, totalBytes } = memory.heap()
    const isWorthwhile = totalBytes - keptBytes >= GROWTH_BYTES_MIN && usedBytes <= COLLECTED_BYTES_MAX
    if (isWorthwhile) memory.collect()
    memory.trim()
    keptBytes = memory.heap().totalBytes
    const tookMs = clock.monotonic() - beganMs
    seconds.add(tookMs / 1000)
    log.debug('memory-returned', { tookMs, isCollected: isWorthwhile, totalBytes, keptBytes })
  }
  return clock.every(LOOK_MS, () => {
    const share = readShare()
    if (share >= BUSY_SHARE) isAfterWork = true
    quietLooks = share < QUIET_SHARE ? quietLooks + 1 : 0
    if (!isAfterWork || quietLooks < QUIET_LOOKS) return
    isAfterWork = false
    giveBack()
  })
}

/** Of this process, or of this thread of it. */
function processMemory(): Memory {
  return {
    heap() {
      const { used_heap_size: usedBytes, total_heap_size: totalBytes } = getHeapStatistics()
      return { usedBytes, totalBytes }
    },
    collect: findCollector(),
    trim: findTrim(),
  }
}

type Collect = (options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void

/** The one that shrinks the heap. It is several in a row, and code that has not run since six collections ago would be thrown away. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  return () => {
    setFlagsFromString('--no-flush-bytecode')
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    setFlagsFromString('--flush-bytecode')
  }
}

/** malloc_trim(3) is glibc's: of its arenas, the one of each thread of V8 has what the compiler once needed. */
function findTrim(): () => void {
  try {
    const functions = foreignFunctions()?.dlopen(null, { malloc_trim: { arguments: ['uint64'], return: 'int32' } }).functions
    const trim = functions?.malloc_trim as ((keptBytes: bigint) => number) | undefined
    return () => void trim?.(0n)
  } catch {
    return () => undefined
  }
}
