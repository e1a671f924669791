import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { test } from 'node:test'
import { inheritOptions } from './inherited-options.ts'

/** The timer of an accepted socket as Linux shows it: its kind, and when it is due in 1/100 s. */
function timerOf(server: Server, client: Socket): { kind: string; due: number } {
  const port = (value: number | undefined) => (value ?? 0).toString(16).toUpperCase().padStart(4, '0')
  const [ours, theirs] = [port((server.address() as AddressInfo).port), port(client.localPort)]
  const line = readFileSync('/proc/net/tcp', 'utf8').split('\n').find((text) => text.includes(`:${ours} 0100007F:${theirs} 01 `))
  const [kind = '', due = ''] = (line?.trim().split(/\s+/)[5] ?? '').split(':')
  return { kind, due: Number.parseInt(due, 16) }
}

const onLinux = process.platform === 'linux'

test('accepted sockets have the keepalive of their listener, which sets none itself where that works', async () => {
  for (const mayInherit of [true, false]) {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const isInherited = mayInherit && inheritOptions(server)
    assert.equal(isInherited, mayInherit && onLinux)
    assert.equal((server as unknown as { keepAlive: boolean }).keepAlive, !isInherited)
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [socket] = await once(server, 'connection') as [Socket]
    const { kind, due } = onLinux ? timerOf(server, client) : { kind: '02', due: 6_000 }
    client.destroy()
    socket.destroy()
    server.close()
    assert.equal(kind, '02', 'a keepalive timer')
    assert.ok(due > 5_000 && due <= 6_000, `due in ${due / 100} s`)
  }
})

test('a server that does not listen, or sets nothing, is left as it is', () => {
  const server = createServer({ noDelay: true, keepAlive: true })
  assert.equal(inheritOptions(server), false)
  assert.equal((server as unknown as { keepAlive: boolean }).keepAlive, true)
  assert.equal(inheritOptions(createServer()), false)
})
