/**
 * TLS libraries that are not ours across the moment when a connection leaves OpenSSL, and across updates of keys.
 *
 * The programs of OpenSSL and GnuTLS and Python's `ssl` module; each talks XMPP through its standard input and output.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { BIND, configOf, HOST, OPEN, plainAuth, startRig } from '../../server/edge/testing/edge-harness.ts'
import type { Rig } from '../../server/edge/testing/edge-harness.ts'
import { collectOutput, ended } from '../processes.ts'
import type { OutputTail } from '../processes.ts'

const GREETING = `<message to='romeo@${HOST}'><body>good night</body></message>`

/** Copies both ways between a TLS socket and the standard streams. */
const PYTHON = `
import os, select, socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion[sys.argv[2]]
with context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))), server_hostname='${HOST}') as peer:
    # What makes it readable may be a ticket alone, behind which a read that blocks would wait for data.
    peer.setblocking(False)
    while True:
        for ready in [peer] if peer.pending() else select.select([peer, sys.stdin], [], [])[0]:
            try: data = peer.recv(65536) if ready is peer else os.read(0, 65536)
            except ssl.SSLWantReadError: continue
            if not data: sys.exit(0)
            if ready is peer: os.write(1, data)
            else: peer.sendall(data)
`

interface Peer {
  readonly name: string
  /** Whether it leaves OpenSSL at the server. */
  readonly isCompact: boolean
  command(port: string): readonly [string, readonly string[]]
  /** The line that makes it update its keys and ask us to do so, and what it says then. */
  readonly update?: readonly [string, RegExp]
}

const peers: readonly Peer[] = [
  {
    name: 'openssl s_client', isCompact: true, update: ['K', /KEYUPDATE/],
    command: (port) => ['openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', HOST, '-alpn', 'xmpp-client', '-brief']],
  },
  {
    name: 'openssl s_client with ChaCha20', isCompact: true, update: ['K', /KEYUPDATE/],
    command: (port) => ['openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256', '-brief']],
  },
  {
    name: 'openssl s_client with small records', isCompact: false,
    command: (port) => ['openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-maxfraglen', '512', '-brief']],
  },
  {
    name: 'GnuTLS', isCompact: true, update: ['^rekey^', /Rekey was completed/],
    command: (port) => ['gnutls-cli', ['--insecure', '--inline-commands', '--sni-hostname', HOST, '--port', port, '127.0.0.1']],
  },
  { name: 'Python', isCompact: true, command: (port) => ['python3', ['-c', PYTHON, port, 'TLSv1_3']] },
  { name: 'Python with TLS 1.2', isCompact: false, command: (port) => ['python3', ['-c', PYTHON, port, 'TLSv1_2']] },
]

const LOOKS_MAX = 500
const LOOK_MS = 10

/** False when it still is not so after five seconds. */
async function until(isSo: () => boolean): Promise<boolean> {
  for (let i = 0; i < LOOKS_MAX && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  return isSo()
}

/** A program that is being talked to; it is ended after the test whatever happens. */
class Talk {
  readonly #child: ChildProcess
  readonly #output: OutputTail

  constructor(program: string, options: readonly string[]) {
    this.#child = spawn(program, options, { stdio: 'pipe' })
    this.#output = collectOutput(this.#child)
  }

  /** A line of its own, because that is what the programs look for commands in. */
  send(text: string): void {
    this.#child.stdin?.write(`${text}\n`)
  }

  async hear(pattern: RegExp, count = 1): Promise<void> {
    const hasHeard = () => (this.#output.text().match(new RegExp(pattern, 'gu')) ?? []).length >= count
    assert.ok(await until(hasHeard), `not heard: ${pattern} in ${this.#output.text().slice(-1000)}`)
  }

  async end(): Promise<void> {
    this.#child.stdin?.end()
    if (!await ended(this.#child, 3000)) this.#child.kill('SIGKILL')
  }
}

describe('TLS libraries', () => {
  let rig: Rig
  before(async () => {
    rig = await startRig(configOf(['client-tls'], { tls: { isCompact: true } }))
  })
  after(() => rig.stop())

  const compact = () => rig.metrics.value('rollcall_edge_tls_compact')

  async function logIn(talk: Talk): Promise<void> {
    talk.send(OPEN)
    await talk.hear(/<\/stream:features>/)
    talk.send(plainAuth())
    await talk.hear(/<success/)
    talk.send(OPEN)
    await talk.hear(/<\/stream:features>/, 2)
    talk.send(BIND)
    await talk.hear(/<iq type='result' id='b1'>/)
  }

  /** `count` messages, each a turn of its own in both directions. */
  async function chat(talk: Talk, count: number): Promise<void> {
    const conn = rig.core.received.findLast((message) => message.kind === 'bind')?.conn
    assert.ok(conn !== undefined)
    for (let i = 0; i < count; i++) {
      const seen = rig.core.stanzas.length
      talk.send(GREETING)
      assert.ok(await until(() => rig.core.stanzas.length > seen), 'a stanza')
      const mark = `${seen}-${'w'.repeat(20_000)}-end`
      rig.send({ kind: 'deliver', conn, wire: `<message><body>${mark}</body></message>` })
      await talk.hear(new RegExp(`${seen}-w+-end`))
    }
  }

  for (const { name, isCompact, command, update } of peers) {
    it(`${name} talks on${isCompact ? '' : ', and stays in OpenSSL'}`, async () => {
      const talk = new Talk(...command(String(rig.port('client-tls'))))
      try {
        await logIn(talk)
        assert.equal(compact(), isCompact ? 1 : 0)
        await chat(talk, 3)
        if (update !== undefined) {
          for (let i = 1; i <= 3; i++) {
            talk.send(update[0])
            // It would take what comes in the same read for a part of the command.
            await talk.hear(update[1], i)
            await chat(talk, 2)
          }
        }
        talk.send('</stream:stream>')
        await talk.hear(/<\/stream:stream>/)
      } finally {
        await talk.end()
      }
      assert.ok(await until(() => rig.edge.connectionCount === 0), 'the end')
      assert.equal(compact(), 0)
    })
  }
})
