import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FakeClock } from '@rollcall/testing'
import { modules, openOffline, software } from '../main.ts'
import { runCli } from './index.ts'

const LAUNCHER = fileURLToPath(new URL('../../tools/rollcall.mjs', import.meta.url))
const COMMAND_MS = 30_000

const folder = mkdtempSync(join(tmpdir(), 'rc-cli-'))
const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

const config = join(folder, 'rollcall.yaml')
// Few iterations: what is tested is not how long a password takes to guess.
writeFileSync(config, `
hosts: [capulet.example, montague.example]
listeners: [{ kind: client, address: 127.0.0.1, port: 0 }]
admin: { port: 0 }
auth: { iterations: { sha1: 4096, sha256: 4096, sha512: 4096 } }
`)

interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(args: readonly string[]): ChildProcess {
  const env = { PATH: process.env['PATH'], HOME: folder }
  const child = spawn(process.execPath, [LAUNCHER, ...args], { cwd: folder, env, stdio: 'pipe' })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

async function run(args: readonly string[], input = ''): Promise<Result> {
  const child = start(args)
  let out = ''
  let err = ''
  child.stdout?.on('data', (chunk: Buffer) => { out += chunk.toString() })
  child.stderr?.on('data', (chunk: Buffer) => { err += chunk.toString() })
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(input)
  const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  return { code, out, err }
}

/** The same in this process, which is quicker: everything is real but the terminal. */
async function runHere(args: readonly string[], input = ''): Promise<Result> {
  let out = ''
  let err = ''
  const code = await runCli(args, {
    terminal: {
      env: {}, isInteractive: false, isErrorTerminal: false, pid: 1, memoryBytes: () => 0,
      out: async (text) => { out += text },
      err: (text) => { err += text },
      readLine: async () => input.split('\n')[0] ?? '',
      askSecret: async () => undefined,
      sleep: async () => undefined,
      onSignal: () => () => undefined,
    },
    clock: new FakeClock(), version: software.version, modules, openOffline,
    serve: () => Promise.reject(new Error('not in this test')),
  })
  return { code, out, err }
}

type Rollcall = (args: readonly string[], input?: string) => Promise<Result>

/** Runs on a data folder of the test's own, in this process or in one of its own. */
const on = (data: string): Rollcall => (args, input) => runHere([...args, '--config', config, '--data', data], input)
const outside = (data: string): Rollcall => (args, input) => run([...args, '--config', config, '--data', data], input)

async function accounts(rollcall: Rollcall): Promise<string[]> {
  const { code, out, err } = await rollcall(['account', 'list'])
  assert.deepEqual([code, err], [0, ''])
  return out.split('\n').filter((line) => line !== '')
}

describe('rollcall without a running server', () => {
  const rollcall = on(join(folder, 'offline'))

  it('adds, lists, counts and removes accounts', async () => {
    const added = await rollcall(['account', 'add', 'Juliet@Capulet.Example', '--password-stdin'], 'wherefore\n')
    assert.deepEqual(added, { code: 0, out: 'added juliet@capulet.example\n', err: '' })
    await rollcall(['account', 'add', 'romeo@montague.example', '--password-stdin'], 'r')
    assert.deepEqual(await accounts(rollcall), ['juliet@capulet.example', 'romeo@montague.example'])
    assert.equal((await rollcall(['account', 'list', '--count', '--host', 'montague.example'])).out, '1\n')
    const again = await rollcall(['account', 'add', 'juliet@capulet.example', '--password-stdin'], 'x')
    assert.equal(again.code, 1)
    assert.match(again.err, /juliet@capulet\.example.*exists \[account-exists\]\n {2}\S/)
    assert.equal((await rollcall(['account', 'remove', 'juliet@capulet.example', 'romeo@montague.example'])).code, 0)
    assert.deepEqual(await accounts(rollcall), [])
  })

  it('does so as a process of its own', async () => {
    const child = outside(join(folder, 'process'))
    const added = await child(['account', 'add', 'juliet@capulet.example', '--password-stdin'], 'wherefore\n')
    assert.deepEqual(added, { code: 0, out: 'added juliet@capulet.example\n', err: '' })
    assert.deepEqual(await accounts(child), ['juliet@capulet.example'])
    const again = await child(['account', 'add', 'juliet@capulet.example', 'x'])
    assert.deepEqual([again.code, again.out], [1, ''])
  })

  it('warns of a password on the command line, and takes it', async () => {
    const { code, err } = await rollcall(['account', 'add', 'nurse@capulet.example', 'secret'])
    assert.deepEqual([code, err.startsWith('warning: other users of this machine can see')], [0, true])
    await rollcall(['account', 'remove', 'nurse@capulet.example'])
  })

  it('sets passwords: other keys are exported afterwards', async () => {
    const keys = async () => /<stored-key>([^<]+)/.exec((await rollcall(['account', 'export'])).out)?.[1]
    await rollcall(['account', 'add', 'nurse@capulet.example', '--password-stdin'], 'old')
    const before = await keys()
    assert.equal((await rollcall(['account', 'passwd', 'nurse@capulet.example', '--password-stdin'], 'new')).out, 'password of nurse@capulet.example set\n')
    assert.notEqual(await keys(), before)
    await rollcall(['account', 'remove', 'nurse@capulet.example'])
  })

  const failures: [title: string, args: string[], code: number, said: RegExp][] = [
    ['no terminal to ask on', ['account', 'add', 'nurse@capulet.example'], 2, /--password-stdin \[no-password\]/],
    ['a localpart on one of two hosts', ['account', 'add', 'nurse', 'x'], 2, /say which with --host \[no-host\]/],
    ['a host of somebody else', ['account', 'add', 'nurse@verona.example', 'x'], 1, /verona\.example is not served here; hosts are .* \[host-not-served\]/],
    ['no address', ['account', 'add', '@', 'x'], 2, /\[bad-jid\]/],
    ['an account that is not there', ['account', 'remove', 'tybalt@capulet.example'], 1, /tybalt@capulet\.example \[no-such-account\]/],
    ['no server', ['status'], 1, /No server runs.*\[not-running\]\n {2}Start it with/],
    ['no server to stop', ['stop'], 1, /\[not-running\]/],
    ['a file that is not there', ['account', 'import', 'no.tsv', '--host', 'capulet.example'], 1, /no\.tsv.*\[file-unreadable\]/],
    ['an import to no host', ['account', 'import', config], 2, /\[no-host\]/],
  ]
  for (const [title, args, code, said] of failures) {
    it(`fails with a code and the fix: ${title}`, async () => {
      const result = await rollcall(args)
      assert.match(result.err, said)
      assert.deepEqual([result.code, result.out], [code, ''])
    })
  }
})

describe('rollcall help and usage', () => {
  it('every command has help with examples', async () => {
    const commands = [
      ['start'], ['status'], ['reload'], ['stop'], ['backup'], ['config', 'check'], ['config', 'example'],
      ...['add', 'passwd', 'remove', 'list', 'import', 'export'].map((name) => ['account', name]),
    ]
    const helps = await Promise.all(commands.map((command) => runHere([...command, '--help'])))
    for (const [index, { code, out, err }] of helps.entries()) {
      const name = (commands[index] as string[]).join(' ')
      assert.deepEqual([code, err], [0, ''], name)
      assert.match(out, new RegExp(`Usage: rollcall ${name}[^]*Examples:\n {2}\\$ `))
    }
  })

  it('--version is that of package.json; usage errors exit with 2', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
    assert.deepEqual(await run(['--version']), { code: 0, out: `${version}\n`, err: '' })
    const wrongLines = [['acount'], ['account', 'add'], ['status', '--nope'], ['account', 'import', 'x', '--iterations', '1']]
    const wrong = await Promise.all(wrongLines.map((line) => runHere(line)))
    assert.deepEqual(wrong.map(({ code }) => code), [2, 2, 2, 2])
    assert.match(wrong[0]?.err ?? '', /Did you mean account\?/)
  })

  it('config check names every mistake with its line; the printed example is a right config', async () => {
    const file = join(folder, 'wrong.yaml')
    writeFileSync(file, 'hosts: [a.example]\nlog:\n  levle: info\nadmin:\n  port: x\n')
    const { code, err } = await runHere(['config', 'check', file])
    assert.equal(code, 2)
    assert.deepEqual(err.replaceAll(`${folder}/`, '').split('\n'), [
      `wrong.yaml:3: log.levle: there is no such setting; did you mean 'level'? [config-unknown-key]`,
      'wrong.yaml:5: admin.port: must be a whole number [config-bad-value]', '',
    ])
    const example = join(folder, 'example.yaml')
    writeFileSync(example, (await runHere(['config', 'example'])).out)
    assert.deepEqual(await runHere(['config', 'check', example]), { code: 0, out: 'ok: hosts localhost; 3 listeners\n', err: '' })
  })
})

describe('rollcall account import and export', () => {
  const count = 200
  const contactCount = 20
  const tsv = join(folder, 'users.tsv')
  const rollcall = on(join(folder, 'import'))
  const users = Array.from({ length: count }, (_, index) => `user${String(index).padStart(3, '0')}`)
  const contactsOf = (index: number) => Array.from({ length: contactCount / 2 }, (_, step) => users[(index + step + 1) % count])

  before(() => {
    const lines = users.map((user, index) => `${user}\tpassword of ${user}\t${contactsOf(index).join(',')}`)
    lines.splice(100, 0, 'no tabs here', `${users[0]}\tagain\t`)
    writeFileSync(tsv, `${lines.join('\n')}\n`)
  })

  it('imports lines, names the bad ones, shows progress; a second time changes nothing', async () => {
    const { code, out, err } = await rollcall(['account', 'import', tsv, '--host', 'capulet.example'])
    assert.equal(out, `imported ${count} accounts\n`)
    assert.match(err, /users\.tsv:101: .*\n.*users\.tsv:102: user000@capulet\.example has a line already\n/)
    assert.match(err, /accounts: 200 of 200\n/)
    assert.match(err, /2 mistakes, see above \[bad-import\]/)
    assert.equal(code, 1)
    assert.deepEqual(await accounts(rollcall), users.map((user) => `${user}@capulet.example`))
    const again = await rollcall(['account', 'import', tsv, '--host', 'capulet.example'])
    assert.equal(again.out, `imported 0 accounts, ${count} existed and were left alone\n`)
  })

  it('exports XEP-0227 with keys and mutual contacts, for the owner alone, and imports it again without loss', async () => {
    const first = join(folder, 'first.xml')
    const exported = await rollcall(['account', 'export', first])
    assert.deepEqual([exported.code, exported.out], [0, ''])
    assert.match(exported.err, /exported 200 accounts\n$/)
    assert.equal(statSync(first).mode & 0o777, 0o600)
    const xml = readFileSync(first, 'utf8')
    assert.equal(xml.match(/<user /g)?.length, count)
    assert.equal(xml.match(/<scram-credentials /g)?.length, 3 * count)
    assert.equal(xml.match(/<item /g)?.length, contactCount * count)
    assert.equal(xml.match(/subscription='both'/g)?.length, contactCount * count)
    assert.equal(xml.includes('password of'), false)
    const refused = await rollcall(['account', 'export', first])
    assert.deepEqual([refused.code, /\[file-exists\]/.test(refused.err)], [1, true])

    const other = on(join(folder, 'copy'))
    assert.equal((await other(['account', 'import', first])).out, `imported ${count} accounts\n`)
    const canonical = (text: string) => text.split('\n').map((line) => line.match(/<item [^>]*\/>|<[a-z-]+[^>]*>[^<]*/g)?.sort().join('\n'))
    assert.deepEqual(canonical((await other(['account', 'export'])).out), canonical(xml))
  })

  it('a salt that is asked for makes equal keys of equal passwords, with a warning', async () => {
    const file = join(folder, 'salted.tsv')
    writeFileSync(file, 'a\tsame\nb\tsame\n')
    const salted = on(join(folder, 'salted'))
    const { code, err } = await salted(['account', 'import', file, '--host', 'capulet.example', '--salt', 'verona-salt', '--iterations', '5000'])
    assert.deepEqual([code, err.startsWith('warning: one salt for all')], [0, true])
    const { out } = await salted(['account', 'export', '--host', 'capulet.example'])
    const credentials = /mechanism='SCRAM-SHA-256'><iter-count>(\d+)<\/iter-count><salt>([^<]+).*?<stored-key>([^<]+)/g
    const keys = [...out.matchAll(credentials)].map((match) => match.slice(1).join(' '))
    assert.equal(keys.length, 2)
    assert.equal(new Set(keys).size, 1)
    assert.equal(keys[0]?.startsWith(`5000 ${Buffer.from('verona-salt').toString('base64')}`), true)
  })
})

describe('rollcall with a running server', () => {
  const data = join(folder, 'live')
  const socket = join(data, 'control.sock')
  const rollcall = outside(data)
  let server: ChildProcess
  let log = ''

  before(async () => {
    server = start(['start', '--config', config, '--data', data])
    const started = Promise.withResolvers<void>()
    server.stdout?.on('data', (chunk: Buffer) => {
      log += chunk.toString()
      if (log.includes('"server-started"')) started.resolve()
    })
    server.once('exit', () => started.reject(new Error(log)))
    await started.promise
  })

  it('keeps its data folder and control socket to its owner', () => {
    assert.equal(statSync(data).mode & 0o777, 0o700)
    assert.equal(statSync(socket).mode & 0o777, 0o600)
    assert.equal(statSync(socket).isSocket(), true)
  })

  it('tells its status, as text and as JSON', async () => {
    const text = await rollcall(['status'])
    assert.match(text.out, /hosts {6}capulet\.example, montague\.example\nlisteners {2}client 127\.0\.0\.1:\d+\nsessions {3}0\n/)
    const status = JSON.parse((await rollcall(['status', '--json'])).out) as Record<string, unknown>
    assert.deepEqual([status['accountCount'], status['hosts']], [0, ['capulet.example', 'montague.example']])
  })

  it('makes, lists, exports, imports and removes accounts on request', async () => {
    const file = join(folder, 'two.tsv')
    writeFileSync(file, 'romeo\tr\tmercutio\nmercutio\tm\n')
    assert.equal((await rollcall(['account', 'add', 'juliet@capulet.example', '--password-stdin'], 'j')).code, 0)
    assert.equal((await rollcall(['account', 'import', file, '--host', 'montague.example'])).out, 'imported 2 accounts\n')
    assert.deepEqual(await accounts(rollcall), ['juliet@capulet.example', 'mercutio@montague.example', 'romeo@montague.example'])
    const { out } = await rollcall(['account', 'export', '--host', 'montague.example'])
    assert.match(out, /<user name='mercutio'>.*<item jid='romeo@montague\.example' subscription='both'\/>/)
    assert.equal((await rollcall(['account', 'remove', 'mercutio@montague.example'])).code, 0)
    const xml = join(folder, 'montague.xml')
    writeFileSync(xml, out)
    assert.equal((await rollcall(['account', 'import', xml])).out, 'imported 1 accounts, 1 existed and were left alone\n')
    const gone = await rollcall(['account', 'remove', 'tybalt@capulet.example'])
    assert.deepEqual([gone.code, /\[no-such-account\]/.test(gone.err)], [1, true])
  })

  it('makes backups, never over a file', async () => {
    const path = join(folder, 'backup.sqlite')
    assert.equal((await rollcall(['backup', path])).code, 0)
    assert.equal(readFileSync(path).subarray(0, 15).toString(), 'SQLite format 3')
    const again = await rollcall(['backup', path])
    assert.deepEqual([again.code, /\[file-exists\]/.test(again.err)], [1, true])
  })

  it('refuses a second server on its data, reloads, and stops when asked', async () => {
    const second = await rollcall(['start'])
    assert.deepEqual([second.code, /\[already-running\]/.test(second.err)], [1, true])
    assert.equal((await rollcall(['reload'])).out, 'reloaded\n')
    const text = readFileSync(config, 'utf8')
    writeFileSync(config, `${text}nonsense: 1\n`)
    const child = start(['reload', '--data', data])
    let err = ''
    child.stderr?.on('data', (chunk: Buffer) => { err += chunk.toString() })
    const [code] = (await once(child, 'close')) as [number]
    writeFileSync(config, text)
    assert.deepEqual([code, err.includes('nonsense: there is no such setting')], [2, true], err)
    const exited = once(server, 'exit')
    assert.equal((await rollcall(['stop'])).out, 'stopped\n')
    assert.deepEqual((await exited)[0], 0)
    assert.equal(existsSync(socket), false)
  })

  it('after which the command works on the data itself', async () => {
    assert.equal((await accounts(rollcall)).length, 3)
  })
})
