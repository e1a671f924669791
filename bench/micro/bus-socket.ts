/**
 * What a message costs that crosses from one process to another: `node bench/micro/bus-socket.ts [kind] [batch]`.
 *
 * Two real processes on the socket bus with the server's codec. The sender sends a batch, lets the turn end, and goes on
 * while no more than WINDOW batches are unanswered; the receiver answers every ACK_BATCHES batches. CPU is user + system of
 * both processes per message, and in brackets the share of each. The same loop without a bus (making a stanza or its wire
 * string, ending the turn) is measured first and taken off the sender's share.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { flatCopy } from '@rollcall/ports'
import { recordingLog } from '@rollcall/testing'
import { Stanza } from '@rollcall/stanza'
import { createSocketBus } from '../../backends/bus-socket/index.ts'
import type { SocketBus } from '../../backends/bus-socket/index.ts'
import { realClock } from '../../backends/bus-socket/testing/fixtures.ts'
import { serverCodec } from '../../server/protocol/codec.ts'
import type { ServerMessage } from '../../server/protocol/messages.ts'

const WINDOW = 16
const ACK_BATCHES = 8
const BATCHES = [1, 32, 256] as const

const romeo = Array.from({ length: 1000 }, (_, at) => parseJid(`romeo${at}@montague.example/orchard`))
const juliet = Array.from({ length: 1000 }, (_, at) => parseJid(`juliet${at}@capulet.example`))
const body = `<body>${'Shall I hear more, or shall I speak at this? '.repeat(3)}</body><request xmlns='urn:xmpp:receipts'/>`
const children = [
  { name: 'body', ns: 'jabber:client', start: 0, end: body.indexOf('<request') },
  { name: 'request', ns: 'urn:xmpp:receipts', start: body.indexOf('<request'), end: body.length },
]
const show = '<show>away</show><c xmlns=\'http://jabber.org/protocol/caps\' hash=\'sha-1\' node=\'urn:example\' ver=\'Zm9v\'/>'
const shown = [
  { name: 'show', ns: 'jabber:client', start: 0, end: show.indexOf('<c ') },
  { name: 'c', ns: 'http://jabber.org/protocol/caps', start: show.indexOf('<c '), end: show.length },
]

/** Each is one string, as what comes from a client is; the strings of a stanza are slices of it. */
const wires = Array.from({ length: 4096 }, (_, at) => flatCopy(` type='chat' id='id${at}'${body}`))

let serial = 0
const pick = (jids: readonly Jid[]): Jid => jids[serial % jids.length]!
function chat(): Stanza {
  const at = serial++ % wires.length
  const id = `id${at}`
  const wire = wires[at]!
  const attrsLength = wire.length - body.length
  return new Stanza('message', pick(romeo), pick(juliet), 'chat', id, wire.substring(0, attrsLength), wire.substring(attrsLength), children)
}
const targets = Array.from({ length: 20 }, (_, at) => juliet.slice(at * 50, at * 50 + 50))
const conns = targets.map((list, at) => list.map((_, index) => at * 50 + index))
const addresses = targets.map(list => list.map(({ wire }) => wire))

const makers: Record<string, () => ServerMessage> = {
  deliver: () => ({ kind: 'deliver', conn: serial % 10_000, wire: chat().toWire() }),
  'client-stanza': () => ({ kind: 'client-stanza', conn: serial % 10_000, stanza: chat() }),
  'client-stanza, seq': () => ({ kind: 'client-stanza', conn: serial % 10_000, stanza: chat(), seq: serial }),
  route: () => ({ kind: 'route', stanza: chat() }),
  'deliver-broadcast to 50': () => {
    const at = serial++ % 20
    return {
      kind: 'deliver-broadcast', head: `<presence from='${pick(romeo).wire}' to='`, tail: `'>${show}</presence>`, conns: conns[at]!, addresses: addresses[at]!,
    }
  },
  'broadcast of 50': () => ({
    kind: 'broadcast', stanza: new Stanza('presence', pick(romeo), undefined, '', '', '', show, shown), targets: targets[serial++ % 20]!,
  }),
}

const member = (memberId: string, directory: string): SocketBus<ServerMessage> =>
  createSocketBus({ memberId, bootId: `${process.pid}`, directory, codec: serverCodec, clock: realClock, log: recordingLog() })

/** The other process: counts, answers, and tells its CPU time when it is asked. */
async function receiver(directory: string): Promise<void> {
  const bus = member('receiver', directory)
  let seen = 0
  let ackEvery = 1
  bus.attach({
    receive(from) {
      if (++seen % ackEvery === 0) bus.send(from, { kind: 'deliver', conn: 0, wire: '' })
    },
    async answer(_from, message) {
      if (message.kind !== 'operate') return undefined
      seen = 0
      ackEvery = message.request as number
      const { user, system } = process.cpuUsage()
      return user + system
    },
  })
  await bus.open()
  process.on('disconnect', () => process.exit())
}

const cpuMicroseconds = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function measure(bus: SocketBus<ServerMessage>, make: () => ServerMessage, batch: number, count: number): Promise<readonly [number, number]> {
  const batches = Math.ceil(count / batch / ACK_BATCHES) * ACK_BATCHES
  const ask = async (): Promise<number> =>
    (await bus.request('receiver', { kind: 'operate', name: 'cpu', request: ACK_BATCHES * batch }, 10_000)) as number
  const theirs = await ask()
  const own = cpuMicroseconds()
  acks.count = 0
  for (let sent = 0; sent < batches; sent++) {
    if (sent >= WINDOW) await answered((sent - WINDOW) / ACK_BATCHES)
    for (let at = 0; at < batch; at++) bus.send('receiver', make())
    await turn()
  }
  await answered(batches / ACK_BATCHES)
  const ownSpent = cpuMicroseconds() - own
  const messages = batches * batch
  return [ownSpent / messages, ((await ask()) - theirs) / messages]
}

async function costOfMaking(make: () => ServerMessage, batch: number, count: number): Promise<number> {
  const before = cpuMicroseconds()
  for (let sent = 0; sent < count; sent += batch) {
    for (let at = 0; at < batch; at++) make()
    await turn()
  }
  return (cpuMicroseconds() - before) / count
}

const acks = { count: 0, wake: (): void => {} }

/** Resolves when there are at least so many answers. */
async function answered(atLeast: number): Promise<void> {
  while (acks.count < Math.floor(atLeast)) {
    await new Promise<void>((resolve) => {
      acks.wake = resolve
    })
  }
}

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-bus-'))
  const child = spawn(process.execPath, [import.meta.filename, 'receiver', directory], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  try {
    const bus = member('sender', directory)
    bus.attach({
      receive() {
        acks.count++
        acks.wake()
      },
      answer: async () => undefined,
    })
    await bus.open()
    const endMs = performance.now() + 10_000
    while (!bus.peers.has('receiver')) {
      if (performance.now() > endMs) throw new Error('the receiver did not start')
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    const [onlyKind, onlyBatch] = process.argv.slice(2)
    console.log(`${'µs CPU per message, both processes'.padEnd(36)} batch   total  (sender + receiver)`)
    for (const [kind, make] of Object.entries(makers)) {
      if (onlyKind !== undefined && kind !== onlyKind) continue
      for (const batch of BATCHES) {
        if (onlyBatch !== undefined && batch !== Number(onlyBatch)) continue
        const count = (batch === 1 ? 60_000 : 400_000) / (kind.endsWith('50') ? 10 : 1)
        await measure(bus, make, batch, count / 4)
        const making = await costOfMaking(make, batch, count)
        const [own, theirs] = await measure(bus, make, batch, count)
        const sender = own - making
        console.log(`${kind.padEnd(36)} ${`${batch}`.padStart(5)}  ${(sender + theirs).toFixed(2).padStart(6)}  (${sender.toFixed(2)} + ${theirs.toFixed(2)})`)
      }
    }
    await bus.close()
  } finally {
    child.disconnect()
    await rm(directory, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'receiver') await receiver(process.argv[3]!)
else await main()
