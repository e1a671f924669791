/**
 * Three workers as real processes, clients spread over them by the kernel, with and without TLS, some accounts with two of
 * them; and workers killed under load, again and again.
 *
 * What is shown: connections of the other workers never drop; every client of the dead one resumes its session; what was
 * acknowledged arrives, once and in order, under one stanza id; both sides' archives have it once; nobody sees anybody leave.
 * Clients that are away when their worker dies, and when the worker dies that waits for them instead, find the same.
 * `ROLLCALL_KILL_SEED` repeats a plan, though not its timing; `ROLLCALL_KILL_ROUNDS` has it longer.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SeededRandom } from '@rollcall/testing'
import { controlClient } from '../../server/admin/index.ts'
import type { WorkerStatus } from '../../server/admin/index.ts'
import { useServer } from '../harness.ts'
import { Device } from './device.ts'

const PAIRS = 12
/** Pairs whose accounts have two devices each. */
const DOUBLE_PAIRS = 3
const ROUNDS = Number(process.env['ROLLCALL_KILL_ROUNDS'] ?? '6')
const SEED = Number(process.env['ROLLCALL_KILL_SEED'] ?? String(Date.now() % 1_000_000))
const PASSWORD = 'balcony'
const STEP_MS = 20
const name = (i: number) => `monty${i}`
const partner = (i: number) => (i % 2 === 0 ? i + 1 : i - 1)

async function pumpFor(devices: readonly Device[], ms: number, isTalking: boolean): Promise<void> {
  const endMs = Date.now() + ms
  while (Date.now() < endMs) {
    if (isTalking) for (const device of devices) device.say()
    for (const device of devices) device.pump()
    await sleep(STEP_MS)
  }
}

async function pumpUntil(devices: readonly Device[], isDone: () => boolean, what: () => string, isTalking = false): Promise<void> {
  for (let i = 0; i < 800 && !isDone(); i++) {
    if (i % 10 === 0) for (const device of devices) device.ask()
    await pumpFor(devices, 10, isTalking)
  }
  assert.ok(isDone(), what())
}

function isSenderFor(device: Device, from: Device): boolean {
  return from !== device && (from.localpart === device.partner || from.localpart === device.localpart)
}

/** Whether as many messages have come as were sent; which ones is another question. */
function hasAll(device: Device, devices: readonly Device[]): boolean {
  return device.seen.size >= devices.reduce((sum, from) => sum + (isSenderFor(device, from) ? from.sent : 0), 0)
}

/** Each message of each sender once, by its id, in order. */
function checkSeen(device: Device, devices: readonly Device[]): void {
  const serials = new Map<string, number[]>()
  for (const { sender, serial } of device.seen.values()) {
    const list = serials.get(sender)
    if (list === undefined) serials.set(sender, [serial])
    else list.push(serial)
  }
  for (const from of devices) {
    if (!isSenderFor(device, from)) continue
    const expected = Array.from({ length: from.sent }, (_, i) => i)
    assert.deepEqual(serials.get(from.name) ?? [], expected, `${device.name} of ${from.name}`)
  }
}

/** The archives of both sides of a pair have the same messages, each once, those of each sender in order. */
async function checkArchives(devices: readonly Device[]): Promise<void> {
  for (const device of devices) {
    if (devices.find(({ localpart }) => localpart === device.localpart) !== device) continue
    const lines = await device.archive()
    for (const from of devices) {
      if (from.localpart !== device.localpart && from.localpart !== device.partner) continue
      const own = lines.filter((line) => line.startsWith(`${from.name} `))
      assert.deepEqual(own, Array.from({ length: from.sent }, (_, i) => `${from.name} ${i}`), `the archive of ${device.localpart} about ${from.name}`)
    }
  }
}

function check(devices: readonly Device[]): void {
  for (const device of devices) {
    assert.equal(device.failure, '', `${device.name} was not resumed`)
    checkSeen(device, devices)
    const gone = device.presence.filter((wire) => wire.includes("type='unavailable'"))
    assert.deepEqual(gone, [], `${device.name} saw its contact leave`)
  }
}

describe('three workers, one of them killed', () => {
  const accounts = Array.from({ length: PAIRS * 2 }, (_, i) => ({ localpart: name(i), password: PASSWORD, contacts: [name(partner(i))] }))
  const server = useServer({
    accounts,
    settings: { workers: 3, tls: { required: false }, auth: { plainWithoutTls: true }, log: { level: 'info', format: 'json' } },
  })
  const random = new SeededRandom(SEED)
  const upTo = (max: number) => Math.floor(random.fraction() * max)

  test('only its own connections drop, all of them are resumed, and nothing is lost, doubled or out of order', async () => {
    console.log(`seed ${SEED}`)
    const control = controlClient(join(server.folder, 'data', 'control.sock'))
    const workersOf = async () => (await control.operations.status({})).workers ?? []
    const devices: Device[] = []
    for (let i = 0; i < accounts.length; i++) {
      const resources = i < DOUBLE_PAIRS * 2 ? ['desk', 'phone'] : ['desk']
      for (const [at, resource] of resources.entries()) {
        devices.push(new Device({ ports: server.ports, localpart: name(i), resource, isSecure: (i >> 1) % 2 === at, partner: name(partner(i)) }))
      }
    }
    for (const device of devices) await device.start()
    await pumpFor(devices, 300, true)

    const kill = async (): Promise<void> => {
      let workers: readonly WorkerStatus[] = []
      for (let i = 0; i < 100 && workers.length < 3; i++) {
        await pumpFor(devices, 100, true)
        workers = await workersOf()
      }
      assert.equal(workers.length, 3, 'a worker is not back')
      await pumpFor(devices, 1500 + upTo(400), true)
      // One that has just come has no clients yet.
      const busy = workers.filter(({ sessionCount }) => sessionCount > 0)
      process.kill((busy[upTo(busy.length)] as WorkerStatus).pid, 'SIGKILL')
    }
    const allBack = () => devices.every((device) => device.isAway || device.isThere || device.failure !== '')
    const missing = () => `not back: ${devices.filter((device) => !device.isAway && !device.isThere).map(({ state }) => state).join('; ')}`
    const notQuiet = () => devices.filter((device) => !device.isQuiet).map(({ state }) => state).join('; ')

    let drops = 0
    for (let round = 0; round < ROUNDS; round++) {
      // Some are away when it happens, some have not acknowledged for a while.
      const away = round % 2 === 1 ? devices.filter(() => upTo(4) === 0) : []
      for (const device of away) device.leave()
      for (const device of devices) device.isMute = upTo(4) === 0
      const before = devices.map((device) => device.drops)
      await kill()
      await pumpFor(devices, 300, true)
      await pumpUntil(devices, allBack, missing, true)
      if (round % 4 === 3) {
        await kill()
        await pumpFor(devices, 300, true)
        await pumpUntil(devices, allBack, missing, true)
      }
      for (const device of devices) device.isMute = false
      const dropped = devices.filter((device, i) => !away.includes(device) && device.drops > (before[i] as number))
      assert.ok(dropped.length < devices.length, 'every connection dropped')
      const kills = round % 4 === 3 ? 2 : 1
      for (const device of dropped) assert.ok(device.drops - (before[devices.indexOf(device)] as number) <= kills, `${device.name} dropped again`)
      for (const device of away) device.comeBack()
      await pumpUntil(devices, () => devices.every((device) => device.isQuiet || device.failure !== ''), () => `never acknowledged: ${notQuiet()}`)
      // Who was away may get much at once. Whatever is missing is found below.
      for (let i = 0; i < 100 && !devices.every((device) => hasAll(device, devices)); i++) await pumpFor(devices, 100, false)
      await pumpFor(devices, 300, false)
      check(devices)
      drops += dropped.length
      console.log(`round ${round}: ${dropped.length} of ${devices.length} connections dropped, ${away.length} were away`)
    }
    await checkArchives(devices)
    const sum = (of: (device: Device) => number) => devices.reduce((total, device) => total + of(device), 0)
    assert.ok(drops > 0 && sum((device) => device.resumptions) >= drops)
    const [resumed, sent, again] = [sum(({ resumptions }) => resumptions), sum((device) => device.sent), sum(({ repeats }) => repeats)]
    console.log(`${resumed} sessions resumed, ${sent} messages, ${again} deliveries came again under the same id`)
    for (const device of devices) device.end()
    control.close()
  })
})
