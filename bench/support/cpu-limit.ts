/**
 * Gives one process less of a machine: a control group of its own with a quota of CPU time (cgroup version 2 or 1), so that a
 * generator on the same machine is not what is measured. Needs the right to make groups, which root has.
 */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Short, so that a process out of quota waits a little and often; longer than the slices (5 ms) in which the kernel deals quota out. */
const PERIOD_US = 20_000
/** Twenty times the usual: a group competes as one process would, and other work on the machine is not to be the limit. */
const WEIGHT = 2_000
const SHARES = 20_480

export interface CpuLimit {
  /** Removes the group; the process must have ended. */
  remove(): Promise<void>
}

/** Limits the process and its threads to `cores`; undefined when no group can be made. */
export function limitCpu(name: string, pid: number, cores: number): CpuLimit | undefined {
  const isVersion2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
  const group = join(isVersion2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/cpu', name)
  const quotaUs = Math.round(cores * PERIOD_US)
  try {
    mkdirSync(group, { recursive: true })
    if (isVersion2) {
      writeFileSync(join(group, 'cpu.max'), `${quotaUs} ${PERIOD_US}`)
      writeFileSync(join(group, 'cpu.weight'), String(WEIGHT))
    } else {
      writeFileSync(join(group, 'cpu.shares'), String(SHARES))
      writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US))
      writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quotaUs))
    }
    writeFileSync(join(group, 'cgroup.procs'), String(pid))
  } catch {
    return undefined
  }
  return {
    async remove() {
      for (let attempt = 0; attempt < 50; attempt++) {
        try {
          rmdirSync(group)
          return
        } catch {
          // The kernel takes a moment to see that the last process is gone.
          await sleep(100)
        }
      }
    },
  }
}
