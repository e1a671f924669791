import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { busContract, recordingLog } from '@rollcall/testing'
import type { TestMessage } from '@rollcall/testing'
import { createSocketBus } from './index.ts'
import type { SocketBus } from './index.ts'
import { jsonCodec, realClock, until } from './testing/fixtures.ts'

busContract('socket', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rollcall-bus-'))
  const make = async (memberId: string): Promise<SocketBus<TestMessage>> =>
    createSocketBus({ memberId, bootId: '1', directory, codec: jsonCodec(), clock: realClock, log: recordingLog() })
  const romeo = await make('romeo')
  const juliet = await make('juliet')
  await until(() => romeo.peers.size === 1 && juliet.peers.size === 1)
  return { romeo, juliet, dispose: async () => rm(directory, { recursive: true, force: true }) }
})
