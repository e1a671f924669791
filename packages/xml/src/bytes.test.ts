/** The two implementations of `#bytes` must agree. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as node from './bytes-node.ts'
import * as web from './bytes-web.ts'

const TEXTS = ['', 'abc', '\u00e9\u20ac\ud83d\ude00', '\ufeffmark', '\ud800', 'x'.repeat(10_000) + '\u00fc']
const BYTES = [[], [0x61], [0xc3, 0xa9], [0xef, 0xbb, 0xbf, 0x61], [0xc3], [0xff, 0x61], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98, 0x80]]

test('node and web byte conversions agree', () => {
  for (const text of TEXTS) {
    assert.deepEqual(Uint8Array.from(web.encodeUtf8(text)), Uint8Array.from(node.encodeUtf8(text)))
    const wire = node.encodeUtf8ToLatin1(text)
    assert.equal(web.encodeUtf8ToLatin1(text), wire)
    assert.deepEqual(Uint8Array.from(web.latin1ToBytes(wire)), Uint8Array.from(node.latin1ToBytes(wire)))
    assert.equal(web.decodeUtf8FromLatin1(wire), node.decodeUtf8FromLatin1(wire))
    assert.equal(node.decodeUtf8FromLatin1(wire), text.toWellFormed())
  }
  for (const values of BYTES) {
    const bytes = Uint8Array.from(values)
    assert.equal(web.isUtf8(bytes), node.isUtf8(bytes))
    assert.equal(web.decodeUtf8(bytes), node.decodeUtf8(bytes))
    assert.equal(web.latin1(bytes, 0, bytes.length), node.latin1(bytes, 0, bytes.length))
  }
})

test('latin1 takes a part of a view into a larger buffer', () => {
  const view = new Uint8Array(Uint8Array.of(1, 2, 0x61, 0x62, 0xe9, 3).buffer, 2, 3)
  for (const bytes of [node, web]) {
    assert.equal(bytes.latin1(view, 1, 3), 'b\u00e9')
    assert.equal(bytes.decodeUtf8(view.subarray(0, 2)), 'ab')
  }
})
