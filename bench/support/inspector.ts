/**
 * What only a process itself knows about its memory, asked over Node's inspector: what the heaps of its threads hold once
 * everything that is garbage has been collected, and of which kinds of objects they consist.
 *
 * The server runs with `INSPECTOR_FLAGS`; nothing in it is made for this. Only commands that stop nothing are used.
 */
import { readFileSync, rmSync } from 'node:fs'

/** A port of the system's choice on loopback; `gc()` collects as the engine itself does, and gives back no more than it would. */
export const INSPECTOR_FLAGS = ['--inspect=127.0.0.1:0', '--expose-gc'] as const
const ANSWER_TIMEOUT_MS = 60_000

/** Bytes. */
export interface HeapFacts {
  readonly residentBytes: number
  /** Of the main thread, before and after collection. */
  readonly heapBytes: number
  readonly liveBytes: number
  /** Of all other threads together, after collection. */
  readonly otherLiveBytes: number
  /** What the engines of all threads have taken from the system for their heaps. */
  readonly committedBytes: number
  /** Buffers and what else hangs on objects outside of the heap; of the main thread. */
  readonly externalBytes: number
}

/** How many objects of a kind there are, and their bytes without what they refer to. */
export interface KindCount {
  readonly count: number
  readonly bytes: number
}

type Answer = { readonly result?: { readonly result?: { readonly value?: unknown } }; readonly error?: { readonly message: string } }
type Send = (message: string) => void

/** Questions and answers of one thread: JSON with numbers. */
class Thread {
  readonly #send: Send
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>()
  #lastId = 0

  constructor(send: Send) {
    this.#send = send
  }

  /** Runs an expression there; resolves with its value, which must be JSON. */
  async evaluate(expression: string): Promise<unknown> {
    return this.command('Runtime.evaluate', { expression, returnByValue: true })
  }

  async command(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId
    const answer = Promise.withResolvers<unknown>()
    this.#open.set(id, answer)
    const timer = setTimeout(() => answer.reject(new Error(`no answer to ${method}`)), ANSWER_TIMEOUT_MS)
    this.#send(JSON.stringify({ id, method, params }))
    return answer.promise.finally(() => {
      clearTimeout(timer)
      this.#open.delete(id)
    })
  }

  answered(id: number, { result, error }: Answer): void {
    const answer = this.#open.get(id)
    if (error === undefined) answer?.resolve(result?.result?.value)
    else answer?.reject(new Error(error.message))
  }
}

interface Incoming extends Answer {
  readonly id?: number
  readonly method?: string
  readonly params?: { readonly sessionId: string; readonly message: string }
}

const COLLECTED = `(() => {
  const { rss, heapUsed, external } = process.memoryUsage()
  gc()
  return { rss, heapUsed, external, live: process.memoryUsage().heapUsed, committed: process.getBuiltinModule('v8').getHeapStatistics().total_heap_size }
})()`
type Collected = { readonly rss: number; readonly heapUsed: number; readonly external: number; readonly live: number; readonly committed: number }

/** The inspector of one process. */
export class Inspector {
  readonly #socket: WebSocket
  readonly #main: Thread
  readonly #others = new Map<string, Thread>()

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#main = new Thread((message) => socket.send(message))
    socket.addEventListener('message', ({ data }) => this.#heard(JSON.parse(String(data)) as Incoming))
  }

  /** Connects to the process whose `output` has said where it listens. */
  static async connect(output: string): Promise<Inspector> {
    const [url] = /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(output) ?? []
    if (url === undefined) throw new Error(`the process has no inspector:\n${output}`)
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true })
      socket.addEventListener('error', () => reject(new Error(`no connection to ${url}`)), { once: true })
    })
    const inspector = new Inspector(socket)
    await inspector.#main.command('NodeWorker.enable', { waitForDebuggerOnStart: false })
    return inspector
  }

  /** Collects all garbage of all threads, and tells what is left. */
  async collect(): Promise<HeapFacts> {
    const main = await this.#main.evaluate(COLLECTED) as Collected
    let otherLiveBytes = 0
    let committedBytes = main.committed
    for (const thread of this.#others.values()) {
      const { live, committed } = await thread.evaluate(COLLECTED) as Collected
      otherLiveBytes += live
      committedBytes += committed
    }
    return { residentBytes: main.rss, heapBytes: main.heapUsed, liveBytes: main.live, otherLiveBytes, committedBytes, externalBytes: main.external }
  }

  /** What the main thread's heap consists of. Stops the process for a second for every 50 MiB or so. */
  async kinds(scratchFile: string): Promise<ReadonlyMap<string, KindCount>> {
    await this.#main.evaluate(`process.getBuiltinModule('v8').writeHeapSnapshot(${JSON.stringify(scratchFile)})`)
    try {
      return kindsOf(JSON.parse(readFileSync(scratchFile, 'utf8')) as Snapshot)
    } finally {
      rmSync(scratchFile, { force: true })
    }
  }

  close(): void {
    this.#socket.close()
  }

  #heard({ id, method, params, ...answer }: Incoming): void {
    if (id !== undefined) this.#main.answered(id, answer)
    else if (method === 'NodeWorker.attachedToWorker' && params !== undefined) this.#attached(params.sessionId)
    else if (method === 'NodeWorker.detachedFromWorker' && params !== undefined) this.#others.delete(params.sessionId)
    else if (method === 'NodeWorker.receivedMessageFromWorker' && params !== undefined) {
      const message = JSON.parse(params.message) as Incoming
      if (message.id !== undefined) this.#others.get(params.sessionId)?.answered(message.id, message)
    }
  }

  #attached(sessionId: string): void {
    const send: Send = (message) => void this.#main.command('NodeWorker.sendMessageToWorker', { sessionId, message }).catch(() => {})
    this.#others.set(sessionId, new Thread(send))
  }
}

/** The parts of a heap snapshot that are read: a row of numbers for each object. */
interface Snapshot {
  readonly snapshot: { readonly meta: { readonly node_fields: readonly string[]; readonly node_types: readonly [readonly string[], ...unknown[]] } }
  readonly nodes: readonly number[]
  readonly strings: readonly string[]
}

function kindsOf({ snapshot: { meta }, nodes, strings }: Snapshot): ReadonlyMap<string, KindCount> {
  const width = meta.node_fields.length
  const [typeAt, nameAt, sizeAt] = ['type', 'name', 'self_size'].map((field) => meta.node_fields.indexOf(field)) as [number, number, number]
  const [types] = meta.node_types
  const kinds = new Map<string, { count: number; bytes: number }>()
  for (let node = 0; node < nodes.length; node += width) {
    const type = types[nodes[node + typeAt]!] ?? ''
    const name = type === 'object' || type === 'closure' || type === 'native' ? ` ${strings[nodes[node + nameAt]!]!.slice(0, 60)}` : ''
    const kind = `${type}${name}`
    const known = kinds.get(kind)
    if (known === undefined) kinds.set(kind, { count: 1, bytes: nodes[node + sizeAt]! })
    else {
      known.count++
      known.bytes += nodes[node + sizeAt]!
    }
  }
  return kinds
}
