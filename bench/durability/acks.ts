/**
 * How long until a server has acknowledged a message (XEP-0198): what a client waits for before it takes it for safe.
 *
 *     node bench/durability/acks.ts PORT LABEL [PAIRS] [RATE] [SECONDS]
 *
 * Users u0, u1, … of bench.test in pairs; each message is followed by a request for an acknowledgement. Prints one line of
 * JSON. Knows just as much of XMPP as that takes; loopback only.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'

const [port, label = '', pairs = '100', rate = '1000', seconds = '5'] = process.argv.slice(2)
const SECONDS = Number(seconds)
const LOGIN_MS = 20_000
const TICK_MS = 2
const BODY = 'x'.repeat(100)
const NS_SM = 'urn:xmpp:sm:3'

class Client {
  readonly user: string
  readonly sentAt: number[] = []
  readonly latencies: number[] = []
  received = 0
  readonly #socket: Socket
  #isEnding = false
  #buffer = ''
  #acked = 0
  /** Stanzas since stream management was enabled. */
  #handled = 0
  #seen: { readonly text: string; readonly resolve: () => void } | undefined = undefined

  constructor(user: string) {
    this.user = user
    this.#socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true }).setEncoding('latin1')
    this.#socket.on('data', (text: string) => this.#read(text))
    this.#socket.on('error', (error) => {
      if (!this.#isEnding) throw error
    })
  }

  async login(): Promise<void> {
    const header = "<?xml version='1.0'?><stream:stream to='bench.test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
    const credentials = Buffer.from(`\0${this.user}\0pw`).toString('base64')
    await this.#exchange(header, '</stream:features>')
    await this.#exchange(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${credentials}</auth>`, '<success')
    await this.#exchange(header, '</stream:features>')
    await this.#exchange("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>acks</resource></bind></iq>", '</iq>')
    await this.#exchange(`<enable xmlns='${NS_SM}'/>`, '<enabled')
    this.sentAt.push(performance.now())
    await this.#exchange(`<presence/><r xmlns='${NS_SM}'/>`, '<a ')
    this.latencies.length = 0
  }

  send(to: string): void {
    this.sentAt.push(performance.now())
    this.#socket.write(`<message to='${to}@bench.test' type='chat' id='m${this.sentAt.length}'><body>${BODY}</body></message><r xmlns='${NS_SM}'/>`)
  }

  end(): void {
    this.#isEnding = true
    this.#socket.end('</stream:stream>')
  }

  get waiting(): number {
    return this.sentAt.length - this.#acked
  }

  #exchange(text: string, answer: string): Promise<void> {
    this.#socket.write(text)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.user}: no ${answer} within ${LOGIN_MS} ms`)), LOGIN_MS)
      this.#seen = { text: answer, resolve: () => { clearTimeout(timer); resolve() } }
    })
  }

  #read(text: string): void {
    this.#buffer += text
    if (this.#seen !== undefined && this.#buffer.includes(this.#seen.text)) {
      const { resolve } = this.#seen
      this.#seen = undefined
      resolve()
    }
    const end = this.#buffer.lastIndexOf('>') + 1
    for (const [, name, attributes = ''] of this.#buffer.slice(0, end).matchAll(/<(enabled|message|presence|iq|a|r)\b([^>]*)>/g)) {
      if (name === 'enabled') this.#handled = 0
      else if (name === 'a') this.#ack(Number(/h=['"](\d+)/.exec(attributes)?.[1]))
      else if (name === 'r') this.#socket.write(`<a xmlns='${NS_SM}' h='${this.#handled}'/>`)
      else {
        this.#handled++
        if (name === 'message') this.received++
      }
    }
    this.#buffer = this.#buffer.slice(end)
  }

  #ack(h: number): void {
    const now = performance.now()
    for (; this.#acked < h; this.#acked++) this.latencies.push(now - this.sentAt[this.#acked]!)
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const clients = Array.from({ length: 2 * Number(pairs) }, (_, index) => new Client(`u${index}`))
for (const client of clients) await client.login()
const startMs = performance.now()
let sent = 0
for (let elapsedMs = 0; elapsedMs < SECONDS * 1000; elapsedMs = performance.now() - startMs) {
  for (const due = (elapsedMs * Number(rate)) / 1000; sent < due; sent++) {
    const index = sent % clients.length
    clients[index]!.send(`u${index ^ 1}`)
  }
  await pause(TICK_MS)
}
const receivedNow = (): number => clients.reduce((sum, client) => sum + client.received, 0)
for (let tries = 0; tries < 500 && (receivedNow() < sent || clients.some(({ waiting }) => waiting > 0)); tries++) await pause(10)
const latencies = clients.flatMap((client) => client.latencies).sort((a, b) => a - b)
const quantile = (share: number): number => Number((latencies[Math.floor(latencies.length * share)] ?? Number.NaN).toFixed(3))
const received = receivedNow()
for (const client of clients) client.end()
console.log(JSON.stringify({
  scenario: 'acks', label, pairs: Number(pairs), rate: Number(rate), sent, acked: latencies.length, lost: sent - received,
  ack_p50_ms: quantile(0.5), ack_p99_ms: quantile(0.99),
}))
