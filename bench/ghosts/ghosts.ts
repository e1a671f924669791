/**
 * How long until a server notices that a client is gone: `node bench/ghosts/ghosts.ts [MINUTES_MAX]`, as root on Linux.
 *
 * Two ways to be gone without a word: the client's process is stopped (its kernel still acknowledges what it is sent), and
 * its network swallows everything (a network namespace whose link is taken down). Both with and without stream management,
 * with and without somebody who writes to it every five seconds. Default settings; a contact looks on. With stream
 * management a lost session stays available for another second here, which is taken off.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const MINUTES_MAX = Number(process.argv[2] ?? 20)
const NAMESPACE = 'rollcall-ghosts'
const [OUTSIDE, INSIDE] = ['10.213.7.1', '10.213.7.2']
const PORT = 15_731
const WRITE_EVERY_MS = 5000
const LOGIN_MS = 20_000
const WATCHER = 'watcher'
const root = resolve(import.meta.dirname, '..', '..')

interface Case {
  readonly user: string
  readonly kind: 'sm' | 'plain'
  readonly how: 'stopped' | 'cut off'
  readonly isWrittenTo: boolean
  goneAtMs?: number
  seenAtMs?: number
}

const cases: Case[] = (['stopped', 'cut off'] as const).flatMap((how) => (['sm', 'plain'] as const).flatMap((kind) =>
  [true, false].map((isWrittenTo): Case => ({ user: `${how.slice(0, 3)}-${kind}-${isWrittenTo ? 'busy' : 'idle'}`, kind, how, isWrittenTo }))))

const folder = mkdtempSync(join(tmpdir(), 'rollcall-ghosts-'))
const children: ChildProcess[] = []

function ip(...words: readonly string[]): void {
  execFileSync('ip', words)
}

function openNamespace(): void {
  ip('netns', 'add', NAMESPACE)
  ip('link', 'add', 'ghosts0', 'type', 'veth', 'peer', 'name', 'ghosts1', 'netns', NAMESPACE)
  ip('addr', 'add', `${OUTSIDE}/30`, 'dev', 'ghosts0')
  ip('link', 'set', 'ghosts0', 'up')
  ip('-n', NAMESPACE, 'addr', 'add', `${INSIDE}/30`, 'dev', 'ghosts1')
  ip('-n', NAMESPACE, 'link', 'set', 'ghosts1', 'up')
}

/** The link first: processes that are on their way out keep the namespace for a moment, and its end of the link with it. */
function closeNamespace(): void {
  ip('link', 'del', 'ghosts0')
  ip('netns', 'del', NAMESPACE)
}

function start(command: string, words: readonly string[]): ChildProcess {
  // A group of its own: the command hands over to a process that must not stay behind.
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  children.push(child)
  return child
}

async function startServer(): Promise<void> {
  const config = join(folder, 'rollcall.yaml')
  writeFileSync(config, JSON.stringify({
    hosts: ['bench.test'],
    listeners: ['127.0.0.1', OUTSIDE].map((address) => ({ kind: 'client', address, port: PORT })),
    tls: { required: false }, auth: { plainWithoutTls: true }, admin: { enabled: false },
  }))
  const accounts = join(folder, 'accounts.tsv')
  const users = cases.map(({ user }) => user)
  writeFileSync(accounts, [`${WATCHER}\tpw\t${users.join(',')}`, ...users.map((user) => `${user}\tpw\t${WATCHER}`), ''].join('\n'))
  const command = (...words: readonly string[]) => [join(root, 'tools', 'rollcall.mjs'), ...words, '--config', config, '--data', folder]
  execFileSync(process.execPath, command('account', 'import', accounts))
  start(process.execPath, command('start'))
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await isListening()) return
    await sleep(100)
  }
  throw new Error('the server does not listen')
}

function isListening(): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(PORT, OUTSIDE)
    socket.on('connect', () => done(true))
    socket.on('error', () => done(false))
    socket.on('connect', () => socket.destroy())
  })
}

/** Logs in, and notes who goes away. */
async function watch(): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: PORT, noDelay: true }).setEncoding('latin1')
  let buffer = ''
  socket.on('data', (text: string) => {
    buffer += text
    for (const [, user] of buffer.matchAll(/<presence from='([\w-]+)@bench\.test\/r'[^>]* type='unavailable'/g)) {
      const found = cases.find((one) => one.user === user)
      if (found?.goneAtMs !== undefined) found.seenAtMs ??= Date.now()
    }
    buffer = buffer.slice(-500)
  })
  const header = "<stream:stream to='bench.test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
  for (const wire of [
    header, `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${WATCHER}\0pw`).toString('base64')}</auth>`,
    header, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", '<presence/>',
  ]) {
    socket.write(wire)
    await sleep(500)
  }
  return socket
}

async function startPeer({ user, kind, how }: Case): Promise<ChildProcess> {
  const words = [join(import.meta.dirname, 'peer.ts'), OUTSIDE, String(PORT), user, kind]
  const child = how === 'stopped' ? start(process.execPath, words) : start('ip', ['netns', 'exec', NAMESPACE, process.execPath, ...words])
  const isReady = await Promise.race([new Promise((done) => child.stdout?.once('data', () => done(true))), sleep(LOGIN_MS, false)])
  if (isReady !== true) throw new Error(`${user} did not log in`)
  return child
}

function report(): void {
  for (const { how, kind, isWrittenTo, goneAtMs = 0, seenAtMs } of cases) {
    const seconds = seenAtMs === undefined ? undefined : (seenAtMs - goneAtMs) / 1000 - (kind === 'sm' ? 1 : 0)
    const label = `${how.padEnd(8)} ${kind === 'sm' ? 'stream management' : 'without it       '} ${isWrittenTo ? 'written to' : 'idle      '}`
    console.log(`${label}  ${seconds === undefined ? `not within ${MINUTES_MAX} minutes` : `${seconds.toFixed(0)} s`}`)
  }
}

try {
  openNamespace()
  await startServer()
  const watcher = await watch()
  const peers: (readonly [Case, ChildProcess])[] = []
  for (const one of cases) peers.push([one, await startPeer(one)])
  const writeToAll = () => {
    for (const { user, isWrittenTo } of cases) {
      if (isWrittenTo) watcher.write(`<message to='${user}@bench.test' type='chat'><body>Are you there?</body></message>`)
    }
  }
  const writing = setInterval(writeToAll, WRITE_EVERY_MS)
  await sleep(3 * WRITE_EVERY_MS)
  ip('link', 'set', 'ghosts0', 'down')
  for (const [one, peer] of peers) {
    one.goneAtMs = Date.now()
    if (one.how === 'stopped') peer.kill('SIGSTOP')
  }
  const until = Date.now() + MINUTES_MAX * 60_000
  while (Date.now() < until && cases.some(({ seenAtMs }) => seenAtMs === undefined)) await sleep(1000)
  clearInterval(writing)
  report()
  watcher.destroy()
} finally {
  for (const { pid, exitCode } of children) if (pid !== undefined && exitCode === null) process.kill(-pid, 'SIGKILL')
  closeNamespace()
  rmSync(folder, { recursive: true, force: true })
}
