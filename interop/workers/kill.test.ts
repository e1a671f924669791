/**
 * Three workers as real processes, clients spread over them by the kernel, and one worker killed under load.
 *
 * What is shown: connections of the other workers never drop; connections of the dead one come back through the others; what
 * was acknowledged arrives, under one stanza id; afterwards everybody sees everybody, and nobody who is not there.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { controlClient } from '../../server/admin/index.ts'
import type { WorkerStatus } from '../../server/admin/index.ts'
import { dialTls, HOST, logIn, OPEN, plainAuth } from '../../server/edge/testing/edge-harness.ts'
import type { RawClient } from '../../server/edge/testing/edge-harness.ts'
import { useServer } from '../harness.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const PAIRS = 15
const PASSWORD = 'balcony'
const name = (i: number) => `monty${i}`
const partner = (i: number) => (i % 2 === 0 ? i + 1 : i - 1)

/** A client that keeps what is not acknowledged, and comes back when its connection is lost. */
class Device {
  readonly #port: number
  readonly index: number
  #client!: RawClient
  #token = ''
  #handled = 0
  #acked = 0
  #unacked: string[] = []
  #sent = 0
  #isEnded = false
  drops = 0
  resumptions = 0
  /** Bodies by stanza id, in the order of arrival. */
  readonly received = new Map<string, string>()
  /** Sent again in a new session: the server may have had them before. */
  readonly doubtful = new Set<string>()
  readonly presence: string[] = []

  constructor(port: number, index: number) {
    this.#port = port
    this.index = index
  }

  get sent(): number {
    return this.#sent
  }

  get isQuiet(): boolean {
    return this.#unacked.length === 0
  }

  async start(): Promise<void> {
    this.#client = await dialTls(this.#port)
    await logIn(this.#client, name(this.index))
    await this.#begin()
  }

  async #begin(): Promise<void> {
    this.#client.send(`<enable ${NS} resume='true'/><presence/>`)
    this.#token = / id='([^']+)'/.exec(await this.#client.read(/<enabled [^>]*>/))?.[1] ?? ''
    this.#handled = 0
    this.#acked = 0
    this.#unacked = ['<presence/>']
  }

  say(): void {
    const body = `${this.index}-${this.#sent++}`
    const wire = `<message to='${name(partner(this.index))}@${HOST}' type='chat' id='${body}'><body>${body}</body></message>`
    this.#unacked.push(wire)
    this.#client.send(wire)
  }

  ask(): void {
    this.#client.send(`<r ${NS}/>`)
  }

  /** Handles what has come; comes back when the connection is lost. */
  async pump(): Promise<void> {
    this.#take()
    if (!this.#client.isClosed || this.#isEnded) return
    this.drops++
    await this.#comeBack()
  }

  async #comeBack(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        const client = await dialTls(this.#port)
        client.send(OPEN)
        await client.read(/<\/stream:features>/)
        client.send(plainAuth(name(this.index)))
        await client.read(/<success[^>]*>/)
        client.send(OPEN)
        await client.read(/<\/stream:features>/)
        client.send(`<resume ${NS} previd='${this.#token}' h='${this.#handled}'/>`)
        const answer = await client.read(/<resumed [^>]*>|<failed .*?(?:<\/failed>|\/>)/)
        this.#client = client
        if (answer.includes('<resumed ')) {
          this.resumptions++
          this.#acknowledge(Number(/ h='(\d+)'/.exec(answer)?.[1]))
          for (const wire of this.#unacked) client.send(wire)
        } else await this.#bindAnew(client)
        return
      } catch (error) {
        if (attempt >= 20) throw error
        await sleep(100)
      }
    }
  }

  async #bindAnew(client: RawClient): Promise<void> {
    const again = this.#unacked.filter((wire) => wire.startsWith('<message'))
    client.send("<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>")
    await client.read(/<iq type='result' id='b1'>.*?<\/iq>/)
    await this.#begin()
    for (const wire of again) {
      this.doubtful.add(/<body>(.*)<\/body>/.exec(wire)?.[1] ?? '')
      this.#unacked.push(wire)
      client.send(wire)
    }
  }

  #take(): void {
    for (;;) {
      const match = /^<(message|presence|iq)\b(?:[^>]*\/>|.*?<\/\1>)|^<([ar]) [^>]*\/>/s.exec(this.#client.text)
      if (match === null) return
      this.#client.text = this.#client.text.slice(match[0].length)
      this.#element(match[0], match[1] ?? match[2] ?? '')
    }
  }

  #element(element: string, kind: string): void {
    if (kind === 'r') {
      this.#client.send(`<a ${NS} h='${this.#handled}'/>`)
      return
    }
    if (kind === 'a') {
      this.#acknowledge(Number(/ h='(\d+)'/.exec(element)?.[1]))
      return
    }
    this.#handled++
    if (kind === 'presence') this.presence.push(element)
    const body = /<body>(.*)<\/body>/.exec(element)?.[1]
    const id = new RegExp(`<stanza-id [^>]*by='${name(this.index)}@${HOST}'[^>]* id='([^']+)'|<stanza-id [^>]*id='([^']+)'`).exec(element)
    if (kind === 'message' && body !== undefined) this.received.set(id?.[1] ?? id?.[2] ?? `none-${this.received.size}`, body)
  }

  #acknowledge(h: number): void {
    const sent = this.#acked + this.#unacked.length
    assert.ok(h >= this.#acked && h <= sent, `${name(this.index)}: the server counts ${h}, not ${this.#acked} to ${sent}`)
    this.#unacked.splice(0, h - this.#acked)
    this.#acked = h
  }

  end(): void {
    this.#isEnded = true
    this.#client.send('</stream:stream>')
    this.#client.destroy()
  }
}

async function pumpFor(devices: readonly Device[], ms: number, isTalking: boolean): Promise<void> {
  const endMs = Date.now() + ms
  while (Date.now() < endMs) {
    if (isTalking) for (const device of devices) device.say()
    await Promise.all(devices.map((device) => device.pump()))
    await sleep(10)
  }
}

function check(devices: readonly Device[]): void {
  for (const device of devices) {
    const from = devices[partner(device.index)] as Device
    const bodies = [...device.received.values()]
    const counts = new Map<string, number>()
    for (const body of bodies) counts.set(body, (counts.get(body) ?? 0) + 1)
    for (let n = 0; n < from.sent; n++) {
      const body = `${from.index}-${n}`
      const count = counts.get(body) ?? 0
      assert.ok(count >= 1, `${body} was acknowledged and never arrived`)
      assert.ok(count === 1 || from.doubtful.has(body), `${body} arrived under ${count} stanza ids`)
    }
  }
}

describe('three workers, one of them killed', () => {
  const accounts = Array.from({ length: PAIRS * 2 }, (_, i) => ({ localpart: name(i), password: PASSWORD, contacts: [name(partner(i))] }))
  const server = useServer({ accounts, settings: { workers: 3 } })

  test('only its own connections drop, they come back, and nothing acknowledged is lost', async () => {
    const control = controlClient(join(server.folder, 'data', 'control.sock'))
    const devices = accounts.map((_, i) => new Device(server.ports.clientTls, i))
    for (const device of devices) await device.start()
    await pumpFor(devices, 500, true)
    const workersOf = async () => (await control.operations.status({})).workers ?? []
    const before = await workersOf()
    assert.equal(before.length, 3)
    const victim = before[1] as WorkerStatus
    process.kill(victim.pid, 'SIGKILL')
    await pumpFor(devices, 3000, true)
    for (let i = 0; i < 100 && !devices.every((device) => device.isQuiet); i++) {
      for (const device of devices) device.ask()
      await pumpFor(devices, 100, false)
    }
    assert.ok(devices.every((device) => device.isQuiet), 'something was never acknowledged')
    await pumpFor(devices, 500, false)
    check(devices)
    const dropped = devices.filter(({ drops }) => drops > 0)
    assert.ok(dropped.length > 0 && dropped.length < devices.length, `${dropped.length} of ${devices.length} connections dropped`)
    assert.ok(devices.every(({ drops }) => drops <= 1), 'a connection dropped twice')
    for (const device of devices) {
      const states = device.presence.filter((wire) => wire.includes(`from='${name(partner(device.index))}@`))
      assert.doesNotMatch(states.at(-1) ?? '', /type='unavailable'/, `${name(device.index)} sees nobody`)
    }
    const after = await workersOf()
    assert.equal(after.length, 3, 'the worker is not back')
    assert.ok(after.every(({ name: one }) => one !== victim.name))
    console.log(`${dropped.length} of ${devices.length} connections dropped, ${dropped.filter(({ resumptions }) => resumptions > 0).length} resumed, `
      + `${devices.reduce((sum, { sent }) => sum + sent, 0)} messages`)
    for (const device of devices) device.end()
    control.close()
  })
})
