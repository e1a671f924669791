/**
 * An edge on loopback ports with a core that is a table of answers, for tests over real sockets.
 *
 * The clock is a `FakeClock` whose flushes are real, so that time-outs are a matter of `advance` and I/O is I/O.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { jidOf } from '@rollcall/jid'
import { FakeClock, recordingLog, recordingMetrics, SeededRandom } from '@rollcall/testing'
import type { RecordingLog, RecordingMetrics } from '@rollcall/testing'
import { deriveScramVerifier } from '@rollcall/stream'
import type { ScramKeys } from '@rollcall/stream'
import { createLocalBus } from '../../../backends/bus-local/index.ts'
import type { ClientStanza, ComponentStanza, ServerMessage } from '../../protocol/messages.ts'
import { singleMember } from '../../protocol/placement.ts'
import { nodeCrypto } from '../../runtime/crypto.ts'
import { TurnEnd } from '../../runtime/turn-end.ts'
import { defaultEdgeConfig } from '../config.ts'
import type { EdgeConfig, ListenerKind } from '../config.ts'
import { createEdge } from '../edge.ts'
import type { Edge, EdgePorts } from '../edge.ts'

export const HOST = 'verona.example'
export const PASSWORD = 'balcony'

/** Time that tests move, output that leaves by itself. */
export class FlushingClock extends FakeClock {
  readonly #turnEnd = new TurnEnd((callback) => callback())

  override soon(callback: () => void): void {
    this.#turnEnd.add(callback)
  }

  override endTurn(): void {
    this.#turnEnd.runAll()
  }
}

type Answer = (message: ServerMessage) => unknown

/** Records what it is told and answers from a table that a test may change. */
export class FakeCore {
  readonly received: ServerMessage[] = []
  readonly answers = new Map<ServerMessage['kind'], Answer>()
  #waiting: (() => void)[] = []

  constructor() {
    const info = {
      featuresBeforeAuth: '', featuresAfterAuth: "<ver xmlns='urn:xmpp:features:rosterver'/>", bind2Features: ['urn:xmpp:carbons:2', 'urn:xmpp:sm:3'],
    }
    this.answers.set('host-info', (message) => (message.kind === 'host-info' && message.host === HOST ? info : undefined))
    this.answers.set('check-lockout', () => ({ waitMs: 0 }))
    this.answers.set('report-auth', () => ({ waitMs: 0 }))
    this.answers.set('verify-password', (message) => ({ isValid: message.kind === 'verify-password' && message.password === PASSWORD }))
    this.answers.set('scram-keys', (message) => (message.kind === 'scram-keys' ? keysFor(message.hash) : undefined))
    this.answers.set('create-anonymous', () => jidOf('guest', HOST))
    this.answers.set('bind', (message) => (message.kind === 'bind'
      ? { isBound: true, jid: message.account.withResource(message.resourcepart || 'chosen') } : undefined))
    this.answers.set('register-component', () => ({ isAccepted: true }))
    this.answers.set('pre-auth-iq', () => "<iq type='result' id='reg1'/>")
  }

  receive(message: ServerMessage): void {
    this.received.push(message)
    this.wake()
  }

  answer(message: ServerMessage): unknown {
    this.received.push(message)
    this.wake()
    return this.answers.get(message.kind)?.(message)
  }

  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** The first `count` messages of a kind, once they have come. */
  async waitFor<K extends ServerMessage['kind']>(kind: K, count = 1): Promise<(ServerMessage & { kind: K })[]> {
    for (;;) {
      const found = this.received.filter((message): message is ServerMessage & { kind: K } => message.kind === kind)
      if (found.length >= count) return found
      await within(new Promise<void>((resolve) => this.#waiting.push(resolve)), `message ${kind} × ${count}`)
    }
  }

  get stanzas(): (ClientStanza | ComponentStanza)[] {
    return this.received.filter((message) => message.kind === 'client-stanza' || message.kind === 'component-stanza')
  }
}

const derived = new Map<string, Promise<ScramKeys>>()

function keysFor(hash: 'SHA-1' | 'SHA-256' | 'SHA-512'): Promise<ScramKeys> {
  const known = derived.get(hash)
  if (known !== undefined) return known
  const salt = new Uint8Array(16).fill(7)
  const keys = deriveScramVerifier(nodeCrypto, hash, PASSWORD, salt, 4096).then((verifier) => ({ isKnown: true, waitMs: 0, ...verifier }))
  derived.set(hash, keys)
  return keys
}

export interface Rig {
  readonly edge: Edge
  readonly core: FakeCore
  readonly clock: FlushingClock
  readonly log: RecordingLog
  readonly metrics: RecordingMetrics
  readonly config: EdgeConfig
  port(kind: ListenerKind): number
  /** From the core to the edge. */
  send(message: ServerMessage): void
  stop(): Promise<void>
}

/** Overrides of the default config, one level into each section. */
export type ConfigPatch = {
  readonly [K in keyof EdgeConfig]?: EdgeConfig[K] extends readonly unknown[] | boolean ? EdgeConfig[K] : Partial<EdgeConfig[K]>
}

/** The default config with loopback listeners of the given kinds and the patch. */
export function configOf(kinds: readonly ListenerKind[], patch: ConfigPatch = {}): EdgeConfig {
  const listeners = kinds.map((kind) => ({ kind, address: '127.0.0.1', port: 0 }))
  const config: Record<string, unknown> = { ...defaultEdgeConfig, hosts: [HOST], listeners }
  for (const [key, value] of Object.entries(patch)) {
    const isSection = typeof value === 'object' && !Array.isArray(value)
    config[key] = isSection ? Object.assign({}, config[key], value) : value
  }
  return config as unknown as EdgeConfig
}

/** Starts an edge beside a fake core. */
export async function startRig(config: EdgeConfig, extra: Partial<EdgePorts> = {}): Promise<Rig> {
  const clock = new FlushingClock()
  const log = recordingLog()
  const metrics = recordingMetrics()
  const bus = createLocalBus({ clock, log }).member('verona-1')
  const core = new FakeCore()
  const edge = createEdge({
    config, bus, placement: singleMember('verona-1'), clock, random: new SeededRandom(2), log,
    crypto: nodeCrypto, metrics, ...extra,
  })
  bus.attach({
    receive: (from, message) => {
      const kind = message.kind
      const isForEdge = kind === 'deliver' || kind === 'deliver-presence' || kind === 'deliver-echo' || kind === 'close-stream' || kind === 'host-info-changed'
      if (isForEdge) edge.receive(from, message as ServerMessage)
      else core.receive(message as ServerMessage)
    },
    answer: async (_from, message) => core.answer(message as ServerMessage),
  })
  await edge.start()
  return {
    edge, core, clock, log, metrics, config,
    port: (kind) => {
      const found = edge.listeners.find((listener) => listener.kind === kind)
      if (found === undefined) throw new Error(`no listener ${kind}`)
      return found.port
    },
    send: (message) => bus.send('verona-1', message),
    stop: async () => {
      await edge.stop()
      await bus.close()
    },
  }
}

const WAIT_MS = 3000

/** Rejects when `promise` does not settle in time: no test hangs. */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out: ${what}`)), WAIT_MS)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A client that speaks bytes. */
export class RawClient {
  socket: Socket | TLSSocket
  text = ''
  isClosed = false
  #waiting: (() => void)[] = []

  constructor(socket: Socket | TLSSocket) {
    this.socket = socket
    this.listen(socket)
  }

  listen(socket: Socket | TLSSocket): void {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('utf8')
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.#wake()
    })
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text)
  }

  /** Waits for text that matches and takes everything up to its end. */
  async read(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.text)
      if (match !== null) {
        const end = match.index + match[0].length
        const taken = this.text.slice(0, end)
        this.text = this.text.slice(end)
        return taken
      }
      if (this.isClosed) throw new Error(`closed before ${pattern}; got: ${this.text}`)
      await within(new Promise<void>((resolve) => this.#waiting.push(resolve)), `${pattern} in: ${this.text.slice(-500)}`)
    }
  }

  /** Waits for the end; returns all that was not read. */
  async closed(): Promise<string> {
    while (!this.isClosed) await within(new Promise<void>((resolve) => this.#waiting.push(resolve)), `close; got: ${this.text.slice(-500)}`)
    return this.text
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Takes the socket out of clear text and into TLS. */
  async startTls(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const raw = this.socket
    raw.removeAllListeners('data')
    raw.removeAllListeners('close')
    const secure = connectTls({ socket: raw, rejectUnauthorized: false, servername: HOST, ...options })
    await within(new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', resolve)
      secure.once('error', reject)
    }), 'TLS handshake')
    this.listen(secure)
    return secure
  }
}

/** Connects in clear. */
export async function dial(port: number): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1' })
  await within(new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  }), 'connect')
  return new RawClient(socket)
}

/** Connects with TLS from the first byte. */
export async function dialTls(port: number, options: ConnectionOptions = {}): Promise<RawClient> {
  const client = await dial(port)
  await client.startTls(options)
  return client
}

export const OPEN = `<?xml version='1.0'?><stream:stream to='${HOST}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`

/** SASL PLAIN of juliet, or of who is given. */
export function plainAuth(localpart = 'juliet', password = PASSWORD): string {
  const payload = Buffer.from(`\0${localpart}\0${password}`).toString('base64')
  return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${payload}</auth>`
}

const bindTo = (resource: string) => `<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`
export const BIND = bindTo('balcony')

/** From a stream that may authenticate to a bound one. */
export async function logIn(client: RawClient, localpart = 'juliet', resource = 'balcony'): Promise<void> {
  client.send(OPEN)
  await client.read(/<\/stream:features>/)
  client.send(plainAuth(localpart))
  await client.read(/<success[^>]*>/)
  client.send(OPEN)
  await client.read(/<\/stream:features>/)
  client.send(bindTo(resource))
  await client.read(/<iq type='result' id='b1'>.*<\/iq>/)
}

/** Lets clear-text tests log in with PLAIN. */
export const clearText: ConfigPatch = { isTlsRequired: false, sasl: { mayPlainBeInsecure: true } }

/** A bound client on the clear-text port. */
export async function juliet(rig: Rig): Promise<RawClient> {
  const client = await dial(rig.port('client'))
  await logIn(client)
  return client
}
