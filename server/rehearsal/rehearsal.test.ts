import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { recordingLog } from '@rollcall/testing'
import { loadConfig } from '../config/index.ts'
import type { ServerConfig } from '../config/index.ts'
import { accountStore } from '../core/auth/index.ts'
import { makeRuntime, modules, startServer } from '../main.ts'
import { nodeCrypto } from '../runtime/crypto.ts'
import { realClock } from '../runtime/index.ts'
import type { Demand } from './pace.ts'
import { startRehearsal } from './rehearsal.ts'
import type { RehearsalPorts } from './rehearsal.ts'
import { clientKeys, Visitor } from './visitor.ts'

const LAUNCHER = fileURLToPath(new URL('../../tools/rollcall.mjs', import.meta.url))
const whole = { cpuSecondsMax: 60, wallMsMax: 60_000 }
/** Logins of a whole rehearsal: thirteen times 48 and those who come back. */
const LOGINS = 13 * (48 + 24)

let data: string
beforeEach(() => void (data = mkdtempSync(join(tmpdir(), 'rehearsal-'))))
afterEach(() => rmSync(data, { recursive: true, force: true }))

function configOf(env: Readonly<Record<string, string>> = {}): ServerConfig {
  return loadConfig({ file: undefined, dataDir: data, env: { ROLLCALL_HOSTS: 'verona.example', ...env }, modules })
}

/** What the process has open; closed sockets are gone a turn later. */
async function held(): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, 50))
  return process.getActiveResourcesInfo().filter((name) => /^TCP|MessagePort/.test(name)).sort()
}

/** Users come after so many looks. */
function usersAfter(looks: number): () => Demand {
  let count = 0
  return () => (count++ < looks ? 'nobody' : 'users')
}

function begin(config: ServerConfig, ports: Partial<RehearsalPorts> = {}) {
  const log = recordingLog()
  const rehearsal = startRehearsal(config, { clock: realClock(log), log, demand: () => 'nobody', budget: whole, ...ports })
  return {
    rehearsal,
    /** What it logged in all. */
    async lines() {
      // Timers of the clock do not keep a process alive.
      const alive = setInterval(() => {}, 1_000)
      await rehearsal.over
      clearInterval(alive)
      return log.lines.map(({ event, level, fields }) => ({ event, level, ended: fields['ended'], logins: Number(fields['logins']) }))
    },
  }
}

describe('rehearsal', () => {
  for (const storage of ['sqlite', 'memory']) {
    it(`on ${storage}, leaves a line in the log and nothing else but the certificate that the server has anyway`, async () => {
      const before = await held()
      const lines = await begin(configOf({ ROLLCALL_STORAGE__KIND: storage })).lines()
      assert.deepEqual(lines, [{ event: 'rehearsed', level: 'info', ended: 'whole', logins: LOGINS }])
      assert.deepEqual(readdirSync(data), ['certificates'])
      assert.deepEqual(await held(), before)
    })
  }

  it('uses what hash is offered, also where limits for one address are low', async () => {
    const lines = await begin(configOf({
      ROLLCALL_STORAGE__KIND: 'memory', ROLLCALL_AUTH__MECHANISMS: 'SCRAM-SHA-512', ROLLCALL_LIMITS__CONNECTIONS_PER_ADDRESS_MAX: '1',
    }), { demand: usersAfter(60) }).lines()
    assert.deepEqual(lines.map(({ ended }) => ended), ['users'])
    assert.ok(Number(lines[0]?.logins) > 40)
  })

  it('does not begin when users are there already', async () => {
    const lines = await begin(configOf(), { demand: () => 'users' }).lines()
    assert.deepEqual(lines, [{ event: 'rehearsed', level: 'info', ended: 'users', logins: 0 }])
    assert.deepEqual(readdirSync(data), [])
  })

  it('begins no login after a user has logged in, and leaves nothing', async () => {
    const before = await held()
    const lines = await begin(configOf(), { demand: usersAfter(30) }).lines()
    const [{ ended, logins } = { ended: '', logins: 0 }] = lines
    assert.equal(ended, 'users')
    assert.ok(logins > 0 && logins <= 30, `${logins} logins`)
    assert.deepEqual(await held(), before)
  })

  it('takes no step while somebody is connected, and goes on afterwards', async () => {
    // Each look that finds somebody puts one of the four that are under way off.
    const looks: { demand: Demand; atMs: number }[] = []
    const lines = await begin(configOf({ ROLLCALL_STORAGE__KIND: 'memory' }), {
      demand() {
        const demand = looks.length < 20 ? 'nobody' : looks.length < 32 ? 'somebody' : looks.length < 80 ? 'nobody' : 'users'
        looks.push({ demand, atMs: performance.now() })
        return demand
      },
    }).lines()
    assert.deepEqual(lines.map(({ ended }) => ended), ['users'])
    assert.ok(Number(lines[0]?.logins) > 20)
    const [first, last] = [looks.find(({ demand }) => demand === 'somebody'), looks.findLast(({ demand }) => demand === 'somebody')]
    assert.ok((last?.atMs ?? 0) - (first?.atMs ?? 0) >= 80)
  })

  it('ends when it has used the processor for long enough, or time has passed', async () => {
    for (const budget of [{ ...whole, cpuSecondsMax: 0.2 }, { ...whole, wallMsMax: 200 }]) {
      const [line] = await begin(configOf({ ROLLCALL_STORAGE__KIND: 'memory' }), { budget }).lines()
      assert.equal(line?.ended, 'budget')
      assert.ok(line.logins < LOGINS)
    }
  })

  it('is stopped at once', async () => {
    const before = await held()
    const { rehearsal, lines } = begin(configOf())
    const all = lines()
    await new Promise((resolve) => setTimeout(resolve, 300))
    const startedMs = performance.now()
    await rehearsal.stop()
    const tookMs = performance.now() - startedMs
    assert.deepEqual((await all).map(({ ended }) => ended), ['stopped'])
    assert.ok(tookMs < 2_000, `${tookMs} ms`)
    assert.deepEqual(await held(), before)
  })

  it('touches neither metrics nor accounts of the server that it is for', async () => {
    const config = configOf({ ROLLCALL_LISTENERS: '[{ kind: client, address: 127.0.0.1, port: 0 }]', ROLLCALL_LOG__LEVEL: 'error' })
    const runtime = makeRuntime(config)
    const server = await startServer(config, runtime, { shutdown: () => {}, reload: () => Promise.resolve() })
    try {
      const counted = async () => (await runtime.metrics.text()).split('\n').filter((line) => /^rollcall_(?!turn_|pressure_|edge_certificate_)/.test(line))
      const before = await counted()
      await begin(config).lines()
      const after = await counted()
      assert.deepEqual(after.filter((line, i) => line !== before[i]), [])
      assert.equal(server.server.core.sessionCount, 0)
      assert.equal(await server.storage.keyvalGet(accountStore.storeName, 'visitor-0@verona.example'), undefined)
    } finally {
      await server.stop()
    }
  })

  it('warns, and nothing else happens, when it fails', async () => {
    const broken = { ...configOf(), core: { ...configOf().core, modules: { 'no-such-module': {} } } }
    const lines = await begin(broken).lines()
    assert.deepEqual(lines.map(({ event, level }) => [event, level]), [['rehearsal-failed', 'warn']])
  })

  it('a visitor whose connection ends gives up', async () => {
    const server = createServer((socket) => void socket.once('data', () => socket.destroy()))
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const keys = await clientKeys(nodeCrypto, 'SHA-256', 'rehearsal', Buffer.from('some salt'), 4096)
    const guest = { localpart: 'juliet', host: 'verona.example', hash: 'SHA-256', keys, isManaged: false } as const
    await assert.rejects(new Visitor((server.address() as AddressInfo).port, guest, nodeCrypto).login(), /connection|ECONNRESET/)
    server.close()
  })
})

describe('rehearsal of rollcall start', () => {
  /** Starts a server, stops it as soon as it is up, and answers what it logged. */
  async function logOf(env: Readonly<Record<string, string>>): Promise<string> {
    const settings = {
      ROLLCALL_HOSTS: 'verona.example', ROLLCALL_LISTENERS: '[{ kind: client, address: 127.0.0.1, port: 0 }]', ROLLCALL_ADMIN__ENABLED: 'false',
    }
    const child = spawn(process.execPath, [LAUNCHER, 'start', '--data', data], {
      env: { PATH: process.env['PATH'], HOME: data, ...settings, ...env }, cwd: data, stdio: ['ignore', 'pipe', 'inherit'],
    })
    let log = ''
    child.stdout.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      // A second signal would end it at once.
      if (!child.killed && log.includes('"server-started"')) child.kill('SIGTERM')
    })
    const status = await new Promise((resolve) => void child.once('close', resolve))
    assert.equal(status, 0, log)
    return log
  }

  it('is called off by SIGTERM', async () => {
    assert.match(await logOf({}), /"ended":"stopped","event":"rehearsed"/)
  })

  it('is not begun when it is configured off', async () => {
    assert.doesNotMatch(await logOf({ ROLLCALL_REHEARSAL: 'false' }), /"event":"rehears/)
  })
})
