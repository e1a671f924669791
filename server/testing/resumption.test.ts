/** Edge and core together over real sockets: connections cut at any moment, and nothing lost, twice, or out of order. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import type { RecordingMetrics } from '@rollcall/testing'
import { createLocalBus } from '../../backends/bus-local/index.ts'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { defaultAuthConfig, LoginClients } from '../core/auth/index.ts'
import { HostSecrets } from '../core/auth/host-secrets.ts'
import { defaultCoreLimits } from '../core/config.ts'
import { createCore } from '../core/core.ts'
import type { Core } from '../core/core.ts'
import { tinyPresence } from '../core/testing/tiny-modules.ts'
import { createEdge } from '../edge/edge.ts'
import type { Edge } from '../edge/edge.ts'
import { clearText, configOf, dial, FakeCore, FlushingClock, HOST, logIn, OPEN, plainAuth } from '../edge/testing/edge-harness.ts'
import type { RawClient } from '../edge/testing/edge-harness.ts'
import type { CoreToEdge, ServerMessage } from '../protocol/messages.ts'
import { singleMember } from '../protocol/placement.ts'
import { nodeCrypto } from '../runtime/crypto.ts'
import { nodeHasher } from '../runtime/hasher.ts'

const NS = "xmlns='urn:xmpp:sm:3'"
const MEMBER = 'verona-1'
const toEdge: ReadonlySet<string> = new Set<CoreToEdge['kind']>(['deliver', 'close-stream', 'host-info-changed'])

let edge: Edge
let core: Core
let metrics: RecordingMetrics
let port: number

before(async () => {
  const clock = new FlushingClock()
  const log = recordingLog()
  const random = new SeededRandom(5)
  metrics = recordingMetrics()
  const bus = createLocalBus({ clock, log }).member<ServerMessage>(MEMBER)
  const placement = singleMember(MEMBER)
  // Who may log in is not what is tested here.
  const gate = new FakeCore()
  const storage = new MemoryStorage()
  const never = () => Promise.reject(new Error('nobody administers this server'))
  core = await createCore({
    config: { hosts: [HOST], admins: [], contacts: {}, limits: defaultCoreLimits, modules: {} },
    software: { name: 'Rollcall', version: '0.0.0-test' }, modules: [tinyPresence], bus, placement,
    storage, clock, random, log, metrics, hasher: nodeHasher,
    credentials: {
      exists: () => Promise.resolve(true), existsAfterLogin: () => true, verifyPassword: never, create: never, setPassword: never, setDisabled: never,
      deleteCredentials: never, list: never, count: never,
    },
    clients: new LoginClients({
      storage, clock, log, crypto: nodeCrypto, metrics, config: defaultAuthConfig.clients,
      secrets: new HostSecrets(storage, nodeCrypto, new Set([HOST])), passwordVersion: () => Promise.resolve(0),
    }),
    auth: { answer: (message) => (gate.answers.has(message.kind) ? Promise.resolve(gate.answer(message)) : undefined) },
    control: { shutdown: () => {}, reload: () => Promise.resolve() },
  })
  edge = createEdge({ config: configOf(['client'], clearText), bus, placement, clock, random, log, metrics, crypto: nodeCrypto })
  bus.attach({
    receive: (from, message) => {
      if (toEdge.has(message.kind)) edge.receive(from, message)
      else void core.service.receive(from, message)
    },
    answer: (from, message) => core.service.answer(from, message),
  })
  await edge.start()
  port = edge.listeners[0]?.port ?? 0
})
after(async () => {
  await edge.stop()
  await core.stop()
})

/**
 * A client that numbers what it sends, counts as XEP-0198 §4 says, keeps what is not acknowledged, and can be cut off.
 */
class Phone {
  readonly #localpart: string
  #client!: RawClient
  #id = ''
  /** Stanzas of the server handled so far. */
  #handled = 0
  /** Sent and not acknowledged, oldest first. */
  #unacked: string[] = []
  #acked = 0
  readonly bodies: string[] = []

  constructor(localpart: string) {
    this.#localpart = localpart
  }

  async start(): Promise<void> {
    this.#client = await dial(port)
    await logIn(this.#client, this.#localpart)
    this.#client.send(`<presence/><enable ${NS} resume='true'/>`)
    this.#id = / id='([^']+)'/.exec(await this.#client.read(/<enabled [^>]*>/))?.[1] ?? ''
  }

  say(to: string, body: string): void {
    const wire = `<message to='${to}@${HOST}/balcony' type='chat'><body>${body}</body></message>`
    this.#unacked.push(wire)
    this.#client.send(wire)
  }

  /** Gives the connection up: `isAbrupt` without a word, else half-open, so that the server finds out by the resumption. */
  async cutAndResume(isAbrupt: boolean): Promise<void> {
    const old = this.#client
    this.#take()
    if (isAbrupt) old.destroy()
    const client = await dial(port)
    client.send(OPEN)
    await client.read(/<\/stream:features>/)
    client.send(plainAuth(this.#localpart))
    await client.read(/<success[^>]*>/)
    client.send(OPEN)
    await client.read(/<\/stream:features>/)
    // What the old connection brought until now was not read: as if it had been lost on the way.
    client.send(`<resume ${NS} previd='${this.#id}' h='${this.#handled}'/>`)
    this.#client = client
    const answer = await client.read(/<(?:resumed|failed) [^>]*>/)
    assert.match(answer, /<resumed /)
    this.#acknowledge(Number(/ h='(\d+)'/.exec(answer)?.[1]))
    for (const wire of this.#unacked) client.send(wire)
    old.destroy()
  }

  /** Handles what has come: counts, acknowledges, keeps bodies. */
  #take(): void {
    for (const [element, name] of this.#complete()) {
      if (name === 'message') {
        this.#handled++
        this.bodies.push(/<body>(.*)<\/body>/.exec(element)?.[1] ?? '')
      } else if (name === 'r') this.#client.send(`<a ${NS} h='${this.#handled}'/>`)
      else if (name === 'a') this.#acknowledge(Number(/ h='(\d+)'/.exec(element)?.[1]))
      else assert.fail(`unexpected: ${element}`)
    }
  }

  *#complete(): Iterable<readonly [string, string]> {
    for (;;) {
      const match = /^<(message)\b.*?<\/message>|^<([ar]) [^>]*\/>/.exec(this.#client.text)
      if (match === null) return
      this.#client.text = this.#client.text.slice(match[0].length)
      yield [match[0], match[1] ?? match[2] ?? '']
    }
  }

  #acknowledge(h: number): void {
    assert.ok(h >= this.#acked && h <= this.#acked + this.#unacked.length, `the server counts ${h}`)
    this.#unacked.splice(0, h - this.#acked)
    this.#acked = h
  }

  /** Waits until so many messages came and everything sent is acknowledged. */
  async settle(count: number): Promise<void> {
    this.#client.send(`<r ${NS}/>`)
    for (let turn = 0; turn < 3000 && (this.bodies.length < count || this.#unacked.length > 0); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      this.#take()
    }
    assert.equal(this.#unacked.length, 0, 'not acknowledged')
  }

  end(): void {
    this.#take()
    this.#client.send(`<a ${NS} h='${this.#handled}'/></stream:stream>`)
    this.#client.destroy()
  }
}

type Step = { readonly kind: 'say'; readonly by: 0 | 1; readonly count: number } | { readonly kind: 'cut'; readonly by: 0 | 1; readonly isAbrupt: boolean }
  | { readonly kind: 'pause'; readonly turns: number }

const by = fc.constantFrom(0 as const, 1 as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('say' as const), by, count: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('cut' as const), by, isAbrupt: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pause' as const), turns: fc.integer({ min: 1, max: 5 }) }) },
)
let runs = 0

test('whatever is cut and whenever, each message arrives once and in order, and what was acknowledged has arrived', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 20 }), async (steps) => {
    const names = [`romeo${++runs}`, `juliet${runs}`] as const
    const phones = [new Phone(names[0]), new Phone(names[1])] as const
    for (const phone of phones) await phone.start()
    const said: [string[], string[]] = [[], []]
    for (const one of steps) {
      if (one.kind === 'cut') await phones[one.by].cutAndResume(one.isAbrupt)
      else if (one.kind === 'pause') for (let i = 0; i < one.turns; i++) await new Promise((resolve) => setImmediate(resolve))
      else for (let i = 0; i < one.count; i++) {
        const body = String(said[one.by].length)
        said[one.by].push(body)
        phones[one.by].say(names[one.by === 0 ? 1 : 0], body)
      }
    }
    await phones[0].settle(said[1].length)
    await phones[1].settle(said[0].length)
    await phones[0].settle(said[1].length)
    assert.deepEqual(phones[1].bodies, said[0])
    assert.deepEqual(phones[0].bodies, said[1])
    for (const phone of phones) phone.end()
  }), { numRuns: 40, endOnFailure: true })
  assert.ok((metrics.value('rollcall_resumptions_total', { result: 'resumed' }) ?? 0) > 0)
  assert.equal(metrics.value('rollcall_resumptions_total', { result: 'unknown' }), 0)
})
