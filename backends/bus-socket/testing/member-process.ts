/** A member in a process of its own: `node member-process.ts DIRECTORY ID`. Answers `ask`, never `wait`. */
import { recordingLog } from '@rollcall/testing'
import { createSocketBus } from '../index.ts'
import { jsonCodec, realClock } from './fixtures.ts'

const [directory, memberId] = process.argv.slice(2) as [string, string]
const bus = createSocketBus({
  memberId, bootId: `${process.pid}`, directory, codec: jsonCodec(), clock: realClock, log: recordingLog(),
})
bus.attach({
  receive: (from, message) => bus.send(from, message),
  answer: async (_from, message) => (message.kind === 'wait' ? new Promise(() => {}) : `${memberId} ${process.pid}`),
})
await bus.open()
process.on('disconnect', () => process.exit())
