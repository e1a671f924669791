/**
 * Room for garbage while there is much to do, given back when it is quiet.
 *
 * How it works: V8 is started with a heap that may grow before it is collected as a whole (`initial-old-space-size`, in
 * `tools/rollcall.mjs`), so that a storm of logins is not interrupted again and again by collections that find little. What is left of
 * it V8 would return after many seconds, and the allocator of C never. So when a time of much work has ended and the member
 * has had nearly nothing to do for two seconds, the heap is collected as a whole, once and in small steps, and what is free goes back to
 * the system. A member with steady work, little or much, is left to V8.
 *
 * Why not by `gc()`: it stands still meanwhile, and it throws away what was compiled for objects that there are none of at that
 * moment, in a quiet time the whole path of a login.
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

/** What holds memory and can give it back. */
export interface Memory {
  /** Bytes that V8 has from the system for objects, in use or not. */
  heapBytes(): number
  /** Begins to collect all garbage of V8; half a second later it is done. */
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
  let isCollected = false
  const timed = (act: () => void): void => {
    const beganMs = clock.monotonic()
    act()
    seconds.add((clock.monotonic() - beganMs) / 1000)
  }
  return clock.every(LOOK_MS, () => {
    const share = readShare()
    if (share >= BUSY_SHARE) isAfterWork = true
    quietLooks = share < QUIET_SHARE ? quietLooks + 1 : 0
    // The collection is some work itself.
    const isQuiet = isCollected ? share < BUSY_SHARE : quietLooks >= QUIET_LOOKS
    if (!isAfterWork || !isQuiet) return
    if (!isCollected && memory.heapBytes() - keptBytes >= GROWTH_BYTES_MIN) {
      timed(() => memory.collect())
      isCollected = true
      // What it frees is given back at the next look.
      return
    }
    timed(() => memory.trim())
    keptBytes = memory.heapBytes()
    log.debug('memory-returned', { isCollected, keptBytes })
    isAfterWork = false
    isCollected = false
  })
}

/** Of this process, or of this thread of it. */
function processMemory(): Memory {
  return {
    heapBytes: () => getHeapStatistics().total_heap_size,
    collect: findCollector(),
    trim: findTrim(),
  }
}

/** As if the heap had reached its limit: V8 then marks in small steps, beside its other threads, and keeps compiled code. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void
  return () => {
    setFlagsFromString('--stress-incremental-marking')
    // Whether to begin is asked after each collection of what is young.
    collect({ type: 'minor' })
    setFlagsFromString('--no-stress-incremental-marking')
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
