/**
 * The floor of the growth curve: what does a message cost a bare Node relay, by the number of its connections?
 *
 *     node bench/growth/floor.ts [--connections 1000,3000,10000] [--active N] [--rate 1000] [--seconds 8]
 *
 * A relay without XMPP: what comes on a connection is written to the one that its first four bytes name. The generator keeps all
 * connections open and sends from random ones, or from random ones of the first `--active`, at a constant rate. What a server of any
 * kind pays for many connections (caches of the processor, structures of the kernel) is in this figure; what a server adds is not.
 */
import { fork } from 'node:child_process'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { usageOf } from '../../load/measure/process-usage.ts'
import { fixed, machineLine, table, whole } from '../support/results.ts'

const BYTES = 180
const TICK_MS = 5
const CONNECTS_AT_A_TIME = 50
/** Beginning of the addresses of clients: each has only so many ports. */
const CONNECTIONS_PER_ADDRESS = 5_000

/** The relay; says its port. */
function relay(): void {
  const sockets: Socket[] = []
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', (chunk: Buffer) => sockets[chunk.readUInt32LE(0)]?.write(chunk.toString('latin1'), 'latin1'))
    socket.on('error', () => socket.destroy())
    sockets.push(socket)
  })
  server.listen(0, '127.0.0.1', 65_535, () => {
    const address = server.address()
    process.send?.(typeof address === 'object' ? address?.port : 0)
  })
  process.once('disconnect', () => process.exit())
}

async function openAll(port: number, count: number, received: () => void): Promise<Socket[]> {
  const sockets: Socket[] = []
  const open = (at: number): Promise<Socket> => new Promise((resolve, reject) => {
    const localAddress = `127.0.0.${2 + Math.floor(at / CONNECTIONS_PER_ADDRESS)}`
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
    socket.on('data', received)
  })
  for (let at = 0; at < count; at += CONNECTS_AT_A_TIME) {
    const some = Array.from({ length: Math.min(CONNECTS_AT_A_TIME, count - at) }, (_, more) => open(at + more))
    sockets.push(...await Promise.all(some))
  }
  return sockets
}

async function measure(count: number, active: number, rate: number, seconds: number): Promise<string[]> {
  const child = fork(fileURLToPath(import.meta.url), ['relay'])
  try {
    const port = await new Promise<number>((resolve) => {
      child.once('message', (message) => resolve(Number(message)))
    })
    let received = 0
    const sockets = await openAll(port, count, () => received++)
    const message = Buffer.alloc(BYTES, 'x')
    const pid = child.pid ?? 0
    await sleep(1_000)
    const before = usageOf([pid]).cpuSeconds
    received = 0
    let owed = 0
    const startMs = performance.now()
    for (let lastMs = startMs; lastMs - startMs < seconds * 1000; await sleep(TICK_MS)) {
      const nowMs = performance.now()
      owed += ((nowMs - lastMs) / 1000) * rate
      lastMs = nowMs
      for (; owed >= 1; owed--) {
        message.writeUInt32LE(Math.floor(Math.random() * active), 0)
        sockets[Math.floor(Math.random() * active)]?.write(Buffer.from(message))
      }
    }
    const cpuSeconds = usageOf([pid]).cpuSeconds - before
    const row = [whole(count), fixed((cpuSeconds * 1e6) / received, 1), whole(received / seconds)]
    console.error(row.join('  '))
    for (const socket of sockets) socket.destroy()
    return row
  } finally {
    child.kill()
  }
}

if (process.argv[2] === 'relay') relay()
else {
  const { values: options } = parseArgs({
    options: {
      connections: { type: 'string', default: '1000,3000,10000' }, active: { type: 'string', default: 'Infinity' },
      rate: { type: 'string', default: '1000' }, seconds: { type: 'string', default: '8' },
    },
  })
  const rows: string[][] = []
  for (const text of options.connections.split(',')) {
    const count = Number(text)
    rows.push(await measure(count, Math.min(count, Number(options.active)), Number(options.rate), Number(options.seconds)))
  }
  const active = options.active === 'Infinity' ? 'random connections' : `random ones of ${whole(Number(options.active))} connections`
  console.log(`Floor: a bare Node relay, ${whole(Number(options.rate))} messages a second of ${BYTES} bytes between ${active}.
${machineLine()}

${table(['connections', 'µs CPU per message', 'messages/s'], rows)}`)
}
