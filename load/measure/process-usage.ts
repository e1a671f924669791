/**
 * CPU and memory of other processes from /proc (Linux), with their descendants: user and system time of the living ones,
 * plus that of children which they have reaped, in ticks of 10 ms; memory is the resident set.
 */
import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096
/** Fields of /proc/PID/stat counted from the one after the command's name (proc(5)). */
const FIELD = { parent: 1, user: 11, system: 12, childUser: 13, childSystem: 14, residentPages: 21 } as const

export interface Usage {
  readonly cpuSeconds: number
  readonly residentBytes: number
  /** Processes found. */
  readonly processCount: number
}

/** Usage of the processes `roots` and all their descendants now; those that are gone count nothing. */
export function usageOf(roots: readonly number[]): Usage {
  let ticks = 0
  let pages = 0
  let processCount = 0
  if (roots.length > 0) {
    const stats = allStats()
    for (const pid of withDescendants(roots, stats)) {
      const stat = stats.get(pid)
      if (stat === undefined) continue
      ticks += stat[FIELD.user]! + stat[FIELD.system]! + stat[FIELD.childUser]! + stat[FIELD.childSystem]!
      pages += stat[FIELD.residentPages]!
      processCount++
    }
  }
  return { cpuSeconds: ticks / TICKS_PER_SECOND, residentBytes: pages * PAGE_BYTES, processCount }
}

function withDescendants(roots: readonly number[], stats: ReadonlyMap<number, readonly number[]>): Set<number> {
  const children = new Map<number, number[]>()
  for (const [pid, stat] of stats) {
    const siblings = children.get(stat[FIELD.parent]!)
    if (siblings === undefined) children.set(stat[FIELD.parent]!, [pid])
    else siblings.push(pid)
  }
  // A Set is walked in the order of insertion, new members included.
  const found = new Set(roots)
  for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child)
  return found
}

function allStats(): Map<number, readonly number[]> {
  const stats = new Map<number, readonly number[]>()
  for (const name of entries('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const stat = readStat(pid)
    if (stat !== undefined) stats.set(pid, stat)
  }
  return stats
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** A process may end between being listed and being read. */
function readStat(pid: number): readonly number[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number)
  } catch {
    return undefined
  }
}
