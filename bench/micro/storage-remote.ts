/**
 * What an archived entry costs when another process keeps the storage, beside direct use: `node bench/micro/storage-remote.ts`.
 *
 * Appends to logs, as an archived message does two of: so many a turn, at most WINDOW turns unanswered. CPU is user + system
 * of all processes and threads per entry, in brackets that of the process that appends and of the one that keeps.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { StorageBackend } from '@rollcall/ports'
import { recordingLog } from '@rollcall/testing'
import { realClock } from '../../backends/bus-socket/testing/fixtures.ts'
import { RemoteStorage, serveStorage } from '../../backends/storage-remote/index.ts'
import { SqliteStorage } from '../../backends/storage-sqlite/index.ts'

const OWNERS = 2000
const WINDOW = 8
const body = `<message type='chat'><body>${'O Romeo, Romeo! wherefore art thou Romeo? '.repeat(6)}</body></message>`
const ports = { clock: realClock, log: recordingLog(), bootId: `${process.pid}` }

const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return user + system
}
const open = (folder: string): SqliteStorage => new SqliteStorage({ path: join(folder, 'data.sqlite'), clock: realClock })

/** The process that keeps: tells its CPU time whenever it is asked. */
async function keep(folder: string): Promise<void> {
  const backend = open(folder)
  await backend.open()
  await serveStorage({ backend, directory: join(folder, 'run'), ...ports })
  process.on('message', () => process.send?.(cpu()))
  process.on('disconnect', () => process.exit())
  process.send?.(0)
}

let serial = 0

/** `count` appends, so many a turn. */
async function append(storage: StorageBackend, count: number, perTurn: number): Promise<void> {
  const waiting: Promise<unknown>[] = []
  for (let done = 0; done < count; done += perTurn) {
    const promises = new Set<Promise<void>>()
    for (let at = 0; at < perTurn; at++) {
      const index = serial++
      promises.add(storage.logAppend('messages', `account${index % OWNERS}@capulet.example`, {
        id: index.toString(36).padStart(9, '0'), at: 1_700_000_000_000 + (index >> 5), with: `account${(index * 7) % OWNERS}@capulet.example`,
        value: [1, index, index * 300, body],
      }))
    }
    waiting.push(Promise.all(promises))
    await turn()
    if (waiting.length >= WINDOW) await waiting.shift()
  }
  await Promise.all(waiting)
}

async function report(what: string, storage: StorageBackend, theirs: () => Promise<number>): Promise<void> {
  for (const perTurn of [2, 32, 256]) {
    const count = perTurn === 2 ? 20_000 : 200_000
    await append(storage, count / 4, perTurn)
    const [own0, theirs0, startMs] = [cpu(), await theirs(), performance.now()]
    await append(storage, count, perTurn)
    const [own, other] = [(cpu() - own0) / count, ((await theirs()) - theirs0) / count]
    const rate = Math.round((count / (performance.now() - startMs)) * 1000)
    const shares = `(${own.toFixed(2)} + ${other.toFixed(2)})`
    console.log(`${what} ${`${perTurn}`.padStart(4)} a turn ${(own + other).toFixed(2).padStart(7)} µs CPU  ${shares.padEnd(16)} ${rate} /s`)
  }
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rollcall-remote-'))
  let child: ChildProcess | undefined
  try {
    const direct = open(await mkdtemp(join(folder, 'direct-')))
    await direct.open()
    await report('direct', direct, async () => 0)
    await direct.close()
    child = spawn(process.execPath, [import.meta.filename, 'keep', folder], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    await once(child, 'message')
    const keeper = child
    const remote = new RemoteStorage({ memberId: 'w1', directory: join(folder, 'run'), ...ports })
    await remote.open()
    await report('remote', remote, async () => {
      keeper.send('cpu')
      return ((await once(keeper, 'message')) as [number])[0]
    })
    await remote.close()
  } finally {
    child?.disconnect()
    await rm(folder, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'keep') await keep(process.argv[3]!)
else await main()
