import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { StanzaError } from '@rollcall/stanza'
import { StorageError } from '@rollcall/ports'
import { recordingLog } from '@rollcall/testing'
import { errorReference, errorTable, RollcallError } from '../config/index.ts'
import { controlClient, createControlServer, handleHealth, isAnswering, openAdminListener, toFailure } from './index.ts'
import type { Operations } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'rc-adm-'))
after(() => rmSync(folder, { recursive: true }))

/** Operations that answer with what they were asked, unless told to fail. */
function echo(overrides: Partial<Operations> = {}): Operations {
  const answer = async (asked: object) => ({ asked }) as never
  return {
    status: answer, reload: answer, shutdown: answer, addAccount: answer, removeAccount: answer, setPassword: answer, listAccounts: answer,
    countAccounts: answer, importAccounts: answer, importUsers: answer, exportUsers: answer, backup: answer, ...overrides,
  }
}

let serial = 0
async function withServer(operations: Operations, use: (path: string) => Promise<void>) {
  const path = join(folder, `${serial++}`, 'control.sock')
  mkdirSync(join(path, '..'))
  const log = recordingLog()
  const server = await createControlServer({ path, operations, log })
  try {
    await use(path)
  } finally {
    await server.close()
  }
  return log
}

function ask(socketPath: string, method: string, path: string, body: string): Promise<{ status: number | undefined; answer: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, headers: { Connection: 'close' } }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => { text += chunk.toString() })
      response.on('end', () => resolve({ status: response.statusCode, answer: JSON.parse(text) as unknown }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

describe('the control socket', () => {
  it('is for its owner alone, leaves nothing else behind, and is gone when closed', async () => {
    let path = ''
    await withServer(echo(), async (socket) => {
      path = socket
      assert.equal(statSync(socket).mode & 0o777, 0o600)
      assert.deepEqual(readdirSync(join(socket, '..')), ['control.sock'])
      assert.equal(await isAnswering(socket), true)
    })
    assert.equal(existsSync(path), false)
    assert.equal(await isAnswering(path), false)
  })

  it('takes the place of a socket that a crash left behind, not of a server', async () => {
    const path = join(folder, 'stale.sock')
    const crashed = createServer().listen(path)
    await new Promise((resolve) => crashed.once('listening', resolve))
    await assert.rejects(createControlServer({ path, operations: echo(), log: recordingLog() }), { code: 'already-running' })
    crashed.close()
    writeFileSync(path, '')
    const server = await createControlServer({ path, operations: echo(), log: recordingLog() })
    assert.equal(await isAnswering(path), true)
    await server.close()
  })

  it('says so when it cannot be made: no folder, a path too long for a socket', async () => {
    const make = (path: string) => createControlServer({ path, operations: echo(), log: recordingLog() })
    await assert.rejects(make(join(folder, 'none', 'control.sock')), { code: 'cannot-listen' })
    await assert.rejects(make(join(folder, 'x'.repeat(100), 'control.sock')), { code: 'cannot-listen', message: /too long for a socket.*--data/ })
  })

  it('passes requests and answers of every operation', async () => {
    await withServer(echo(), async (path) => {
      const { operations, close } = controlClient(path)
      const account = { jid: 'juliet@capulet.example', password: 'wherefore' }
      assert.deepEqual(await operations.addAccount(account), { asked: account })
      const page = { host: 'capulet.example', after: 'a@capulet.example', limit: 10 }
      assert.deepEqual(await operations.listAccounts(page), { asked: page })
      const batch = { accounts: [{ ...account, contacts: ['romeo@montague.example'] }], iterations: 4096, salt: 'verona-salt' }
      assert.deepEqual(await operations.importAccounts(batch), { asked: batch })
      close()
    })
  })

  it('gives failures their code, on both sides', async () => {
    const failing = echo({ removeAccount: () => Promise.reject(new RollcallError('no-such-account', 'there is no tybalt')) })
    await withServer(failing, async (path) => {
      const { operations, close } = controlClient(path)
      await assert.rejects(operations.removeAccount({ jid: 'tybalt@capulet.example' }), { code: 'no-such-account', message: 'there is no tybalt' })
      close()
      const { status, answer } = await ask(path, 'POST', '/v1/removeAccount', '{"jid":"tybalt@capulet.example"}')
      assert.deepEqual([status, answer], [404, { error: { code: 'no-such-account', message: 'there is no tybalt', fix: errorTable['no-such-account'].fix } }])
    })
  })

  it('logs a defect, and answers that it is one', async () => {
    const log = await withServer(echo({ reload: () => Promise.reject(new TypeError('undefined is not')) }), async (path) => {
      assert.equal((await ask(path, 'POST', '/v1/reload', '')).status, 500)
    })
    assert.deepEqual(log.lines.map(({ event }) => event), ['control-operation-failed'])
  })

  const bad: [title: string, method: string, path: string, body: string, status: number, said: RegExp][] = [
    ['an unknown operation', 'POST', '/v1/explode', '{}', 404, /there is no \/v1\/explode; operations are \/v1\/status,/],
    ['a wrong method', 'GET', '/v1/status', '', 405, /use POST \/v1\/status/],
    ['no JSON', 'POST', '/v1/status', '{', 400, /not JSON: send an object/],
    ['no object', 'POST', '/v1/status', '[]', 400, /request must be an object/],
    ['a missing field', 'POST', '/v1/addAccount', '{"jid":"a@b"}', 400, /request\.password must be a text that is not empty/],
    ['an unknown field', 'POST', '/v1/addAccount', '{"jid":"a@b","password":"x","admin":true}', 400, /request\.admin must be absent; known are jid, password/],
    ['a number out of range', 'POST', '/v1/listAccounts', '{"host":"b","limit":5000}', 400, /request\.limit must be a whole number from 1 to 1000/],
    ['a bad item of a list', 'POST', '/v1/importAccounts', '{"accounts":[{"jid":"a@b","password":"x","contacts":[1]}]}', 400,
      /request\.accounts\[0\]\.contacts\[0\] must be a text/],
  ]
  for (const [title, method, path, body, status, said] of bad) {
    it(`refuses ${title} with the fix`, async () => {
      await withServer(echo(), async (socket) => {
        const result = await ask(socket, method, path, body)
        assert.equal(result.status, status)
        assert.match((result.answer as { error: { message: string } }).error.message, said)
      })
    })
  }

  it('its client says that nobody is there', async () => {
    const { operations, close } = controlClient(join(folder, 'nobody.sock'))
    await assert.rejects(operations.status({}), { code: 'not-running' })
    close()
  })
})

describe('health and metrics', () => {
  const reasons: string[] = []
  const ports = { unreadyReasons: () => reasons, metrics: { text: async () => 'up 1\n', contentType: 'text/plain; version=0.0.4' } }

  it('answers alive, ready and metrics, and errors in the form of the control socket', async () => {
    assert.deepEqual(await handleHealth(ports, 'GET', '/healthz'), { status: 200, contentType: 'application/json', body: '{"status":"ok"}' })
    assert.equal((await handleHealth(ports, 'GET', '/readyz')).status, 200)
    assert.deepEqual(await handleHealth(ports, 'GET', '/metrics'), { status: 200, contentType: 'text/plain; version=0.0.4', body: 'up 1\n' })
    assert.equal((await handleHealth(ports, 'POST', '/healthz')).status, 405)
    const missing = await handleHealth(ports, 'GET', '/constructor')
    assert.equal(missing.status, 404)
    assert.match(missing.body, /"code":"not-found","message":"there is no \/constructor; paths are \/healthz, \/readyz, \/metrics"/)
  })

  it('is not ready for a reason, and alive all the same', async () => {
    reasons.push('the server is stopping')
    const { status, body } = await handleHealth(ports, 'GET', '/readyz')
    assert.deepEqual([status, /"not-ready","message":"the server is stopping"/.test(body)], [503, true])
    assert.equal((await handleHealth(ports, 'GET', '/healthz')).status, 200)
    reasons.pop()
  })

  it('listens, and tells why when it cannot', async () => {
    const listener = await openAdminListener('127.0.0.1', 0, ports)
    const url = `http://127.0.0.1:${listener.port}`
    assert.equal(await (await fetch(`${url}/metrics?name=up`)).text(), 'up 1\n')
    const head = await fetch(`${url}/readyz`, { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [200, ''])
    await assert.rejects(openAdminListener('127.0.0.1', listener.port, ports), { code: 'cannot-listen', message: /change admin\.port/ })
    await listener.close()
    await assert.rejects(fetch(url))
  })

  it('metrics that fail are an error, not a crash', async () => {
    const broken = { ...ports, metrics: { ...ports.metrics, text: () => Promise.reject(new Error('no figures')) } }
    const listener = await openAdminListener('127.0.0.1', 0, broken)
    const answer = await fetch(`http://127.0.0.1:${listener.port}/metrics`)
    assert.deepEqual([answer.status, (await answer.json() as { error: { code: string } }).error.code], [500, 'internal'])
    await listener.close()
  })
})

describe('errors', () => {
  it('have stable codes whatever was thrown', () => {
    const codes = [
      new StanzaError('conflict'), new StanzaError('item-not-found'), new StanzaError('not-allowed'), new StanzaError('resource-constraint'),
      new StorageError('full', 'x'), new StorageError('io', 'x'), new StorageError('conflict', 'x'), new RollcallError('busy', 'x'), new Error('x'), 'x',
    ].map((error) => toFailure(error).code)
    assert.deepEqual(codes, [
      'account-exists', 'no-such-account', 'host-not-served', 'busy', 'storage-full', 'storage-failed', 'file-exists', 'busy', 'internal', 'internal',
    ])
  })

  it('are in one table, from which the reference is made', () => {
    const reference = errorReference()
    for (const [code, { status, exit }] of Object.entries(errorTable)) {
      assert.match(reference, new RegExp(`^\\| \`${code}\` \\| ${status} \\| ${exit} \\| `, 'm'))
    }
  })
})
