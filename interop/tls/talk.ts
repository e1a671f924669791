/** Programs of foreign TLS libraries that are talked to by lines: OpenSSL's and GnuTLS's, and Python's `ssl` module. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { BIND, HOST, OPEN, plainAuth } from '../../server/edge/testing/edge-harness.ts'
import { collectOutput, ended } from '../processes.ts'
import type { OutputTail } from '../processes.ts'

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

export interface Peer {
  readonly name: string
  /** Whether it leaves OpenSSL at the server. */
  readonly isCompact: boolean
  command(port: string): readonly [string, readonly string[]]
  /** The line that makes it update its keys and ask us to do so, and what it says then. */
  readonly update?: readonly [string, RegExp]
}

/** Clients that read and write lines. */
export const peers: readonly Peer[] = [
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
export async function until(isSo: () => boolean): Promise<boolean> {
  for (let i = 0; i < LOOKS_MAX && !isSo(); i++) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  return isSo()
}

/** A program that is being talked to; it is ended after the test whatever happens. */
export class Talk {
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

/** From a connection to a bound session; `meanwhile` is done before it authenticates. */
export async function logIn(talk: Talk, localpart = 'juliet', meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  talk.send(OPEN)
  await talk.hear(/<\/stream:features>/)
  await meanwhile()
  talk.send(plainAuth(localpart))
  await talk.hear(/<success/)
  talk.send(OPEN)
  await talk.hear(/<\/stream:features>/, 2)
  talk.send(BIND)
  await talk.hear(/<iq type='result' id='b1'>/)
}
