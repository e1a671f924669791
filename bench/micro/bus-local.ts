/** What a message and a request on the in-process bus cost: `node bench/micro/bus-local.ts`. */
import type { BusMessage } from '@rollcall/ports'
import { FakeClock, recordingLog } from '@rollcall/testing'
import { createLocalBus } from '../../backends/bus-local/index.ts'

interface Note extends BusMessage {
  readonly value: number
}

const TURNS = 20_000
const PER_TURN = 100
const bus = createLocalBus({ clock: new FakeClock(), log: recordingLog() })
const romeo = bus.member<Note>('romeo')
const juliet = bus.member<Note>('juliet')
let sum = 0
juliet.attach({ receive: (_from, message) => void (sum += message.value), answer: async (_from, message) => message.value })

async function measure(what: string, perTurn: number, turns: number, work: () => unknown): Promise<void> {
  for (let turn = 0; turn < turns / 10; turn++) await work()
  const cpu = process.cpuUsage()
  for (let turn = 0; turn < turns; turn++) await work()
  const { user, system } = process.cpuUsage(cpu)
  console.log(`${what.padEnd(40)} ${(((user + system) * 1000) / (turns * perTurn)).toFixed(0)} ns CPU`)
}

await measure(`one-way message, ${PER_TURN} a turn`, PER_TURN, TURNS, () => {
  for (let at = 0; at < PER_TURN; at++) romeo.send('juliet', { kind: 'note', value: at })
})
await measure('one-way message, 1 a turn', 1, TURNS * 10, () => romeo.send('juliet', { kind: 'note', value: 1 }))
await measure('request and reply, 100 a turn', 100, TURNS / 10, () =>
  Promise.all(Array.from({ length: 100 }, (_, value) => romeo.request('juliet', { kind: 'note', value }, 1000))),
)
if (sum === 0) throw new Error('nothing arrived')
