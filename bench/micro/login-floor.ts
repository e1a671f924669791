/**
 * The floor of a login: what accepting a socket, seven reads, seven writes and the close cost a bare `node:net` server.
 *
 * The lengths are those of a real login (header, two SASL steps, header, bind, roster, presence) and nothing is looked at,
 * so what a server spends beyond this is its own. The server is a child process; its CPU is user+sys per connection.
 *
 *     node bench/micro/login-floor.ts [CONNECTIONS] [ROUNDS]
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** Bytes asked and answered, flight by flight. */
const FLIGHTS = [[130, 700], [150, 90], [200, 90], [130, 500], [130, 130], [70, 800], [12, 110]] as const
const CONCURRENCY = 64

interface Round { readonly micros: number }

const STEP = Symbol('step')
type Counted = Socket & { [STEP]?: number }
const answers = FLIGHTS.map(([, length]) => 'x'.repeat(length))

function onData(this: Counted): void {
  const step = this[STEP] ?? 0
  this[STEP] = step + 1
  this.write(answers[step] ?? '', 'latin1')
}

function serve(): void {
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => socket.on('data', onData))
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  let before = process.cpuUsage()
  process.on('message', () => {
    const { user, system } = process.cpuUsage(before)
    before = process.cpuUsage()
    process.send?.({ micros: user + system } satisfies Round)
  })
  process.on('disconnect', () => process.exit())
}

function login(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let step = 0
    let wanted = 0
    const next = () => {
      const flight = FLIGHTS[step++]
      if (flight === undefined) return void socket.end()
      wanted = flight[1]
      socket.write('y'.repeat(flight[0]), 'latin1')
    }
    socket.on('connect', next)
    socket.on('data', (chunk) => {
      wanted -= chunk.length
      if (wanted <= 0) next()
    })
    socket.on('error', reject)
    socket.on('close', () => resolve())
  })
}

async function measure(count: number, rounds: number): Promise<void> {
  const child = fork(new URL(import.meta.url).pathname, ['serve'])
  const ask = async (): Promise<Round> => {
    child.send('cpu')
    return (await once(child, 'message'))[0] as Round
  }
  const [port] = await once(child, 'message') as [number]
  for (let round = 1; round <= rounds; round++) {
    await ask()
    let left = count
    const client = async () => {
      while (left-- > 0) await login(port)
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, client))
    console.log(`round ${round}: ${((await ask()).micros / count).toFixed(0)} µs a connection`)
  }
  child.disconnect()
}

if (process.argv[2] === 'serve') serve()
else await measure(Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? 8))
