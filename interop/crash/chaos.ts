/**
 * What happens to the server and its clients: drawn from a seed, so that a run's plan is repeated by it (the moments at
 * which processes meet it are not).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SeededRandom } from '@rollcall/testing'
import type { RollcallProcess } from '../harness.ts'
import { MOMENTS } from './device.ts'
import type { Device } from './device.ts'

export interface ChaosCounts {
  kills: number
  restarts: number
  freezes: number
  /** Times for which the disk was slow. */
  slowDisks: number
}

/** What a commit takes, in ms; mostly the disk is as fast as it is. */
const DISK_DELAYS = [0, 0, 0, 5, 40, 250] as const

export interface ServerTrouble {
  readonly server: RollcallProcess
  readonly seed: number
  readonly untilMs: number
  readonly counts: ChaosCounts
  /** Sends many messages at once. */
  readonly burst: () => void
  /** Has each commit of the server take that long from now on, in ms. */
  readonly slowDisk: (ms: number) => void
}

/** Until `untilMs`: slows the disk, freezes the server, or ends it, mostly without warning, and starts it again on its data. */
export async function troubleServer(trouble: ServerTrouble): Promise<void> {
  const { seed, untilMs, counts, slowDisk } = trouble
  const random = new SeededRandom(seed)
  while (Date.now() < untilMs) {
    const delayMs = DISK_DELAYS[random.below(DISK_DELAYS.length)] ?? 0
    if (delayMs > 0) counts.slowDisks++
    slowDisk(delayMs)
    await sleep(random.below(3500) + 300)
    await troubleOnce(trouble, random)
  }
  slowDisk(0)
}

async function troubleOnce({ server, counts, burst }: ServerTrouble, random: SeededRandom): Promise<void> {
  const kind = random.below(6)
  // Most acknowledgements are on their way a few milliseconds after many messages.
  if (random.below(2) === 0) {
    burst()
    await sleep(random.below(40))
  }
  if (kind === 5) {
    counts.freezes++
    await server.freeze(random.below(3000))
    return
  }
  if (kind > 0) {
    counts.kills++
    await server.kill()
  } else {
    counts.restarts++
    await server.stop()
  }
  if (random.below(4) === 0) await sleep(random.below(1500))
  await server.start()
}

/** Until `untilMs`: cuts, delays and sends away the devices. At the end all are there again. */
export async function troubleDevices(devices: readonly Device[], seed: number, untilMs: number): Promise<void> {
  const random = new SeededRandom(seed)
  const away: Promise<void>[] = []
  while (Date.now() < untilMs) {
    await sleep(random.below(220))
    const device = devices[random.below(devices.length)] as Device
    if (!device.isWanted) continue
    const work = trouble(device, random)
    if (work !== undefined) away.push(work)
  }
  await Promise.all(away)
  for (const device of devices) {
    device.setAnswering(true)
    device.setReading(true)
    if (!device.isWanted) device.come()
  }
}

function trouble(device: Device, random: SeededRandom): Promise<void> | undefined {
  switch (random.below(11)) {
    case 0:
      device.cut()
      return undefined
    case 1:
    case 10:
      device.vanish()
      return undefined
    case 2:
    case 3:
    case 4:
      device.cutAt(MOMENTS[random.below(MOMENTS.length)] ?? 'sent')
      // A moment of login comes with the next one.
      if (random.below(2) === 0) device.cut()
      return undefined
    case 5:
      device.forget()
      return undefined
    case 6:
      return pause(device, random.below(2500))
    case 7:
      return silence(device, random.below(2500))
    case 8:
      device.leave()
      return comeBack(device, random.below(5000))
    default:
      // Gone without a word, for less or more than the session is kept.
      device.isWanted = false
      device.cut()
      return comeBack(device, random.below(7000))
  }
}

async function pause(device: Device, ms: number): Promise<void> {
  device.setReading(false)
  await sleep(ms)
  device.setReading(true)
}

async function silence(device: Device, ms: number): Promise<void> {
  device.setAnswering(false)
  await sleep(ms)
  device.setAnswering(true)
}

async function comeBack(device: Device, ms: number): Promise<void> {
  await sleep(ms)
  device.come()
}
