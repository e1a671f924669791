/** Hellos of real clients and of none. */
import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { describe, it } from 'node:test'
import { connect } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'
import fc from 'fast-check'
import { judgeHello } from './client-hello.ts'

/** What a client of OpenSSL says first. */
function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer) {
        resolve(chunk)
      },
    })
    connect({ socket, ...options }).on('error', () => {})
  })
}

/** `hello` with one more extension in front of the others. */
function withExtension(hello: Buffer, type: number, body: number[]): Buffer {
  const at = 9 + 2 + 32
  const suitesAt = at + 1 + hello.readUInt8(at)
  const compressionAt = suitesAt + 2 + hello.readUInt16BE(suitesAt)
  const extensionsAt = compressionAt + 1 + hello.readUInt8(compressionAt)
  const extension = Buffer.from([0, type, 0, body.length, ...body])
  const longer = Buffer.concat([hello.subarray(0, extensionsAt + 2), extension, hello.subarray(extensionsAt + 2)])
  longer.writeUInt16BE(hello.readUInt16BE(3) + extension.length, 3)
  longer.writeUInt16BE(hello.readUInt16BE(7) + extension.length, 7)
  longer.writeUInt16BE(hello.readUInt16BE(extensionsAt) + extension.length, extensionsAt)
  return longer
}

describe('a client hello', () => {
  it('of TLS 1.3 is able once it is whole, of TLS 1.2 never', async () => {
    const hello = await helloOf({ servername: 'verona.example', ALPNProtocols: ['xmpp-client'] })
    for (let end = 0; end < hello.length; end++) assert.equal(judgeHello(hello.subarray(0, end)), 'more')
    assert.equal(judgeHello(hello), 'able')
    assert.equal(judgeHello(Buffer.concat([hello, Buffer.from('more')])), 'able')
    assert.equal(judgeHello(await helloOf({ maxVersion: 'TLSv1.2' })), 'other')
  })

  it('that asks for records of another size is not able (RFC 6066 §4, RFC 8449 §4)', async () => {
    const hello = await helloOf({})
    assert.equal(judgeHello(withExtension(hello, 99, [1, 2, 3])), 'able')
    assert.equal(judgeHello(withExtension(hello, 1, [2])), 'other')
    assert.equal(judgeHello(withExtension(hello, 28, [0x40, 0x00])), 'other')
    assert.equal(judgeHello(withExtension(hello, 28, [0x40, 0x01])), 'able')
  })

  it('is only what is one: anything else is for OpenSSL to refuse, and nothing throws', async () => {
    assert.equal(judgeHello(Buffer.from("<?xml version='1.0'?>")), 'other')
    assert.equal(judgeHello(Uint8Array.of(22, 3, 1, 0x40, 1)), 'other')
    const hello = await helloOf({})
    fc.assert(fc.property(fc.nat(hello.length - 1), fc.nat(255), (at, value) => {
      const changed = Buffer.from(hello)
      changed[at] = value
      assert.ok(['more', 'able', 'other'].includes(judgeHello(changed)))
    }), { numRuns: 500 })
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
      judgeHello(Uint8Array.of(22, 3, 1, body.length >> 8, body.length & 255, ...body))
    }), { numRuns: 500 })
  })
})
