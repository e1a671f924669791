import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeHasher } from '../runtime/hasher.ts'
import { Stamps } from './stamps.ts'

const digestOf = (bytes: Uint8Array) => nodeHasher.hash('sha-512', bytes)

test('who knows the stream and the number of a message knows its stamp, in whatever order they are asked for', () => {
  const [one, other] = [new Stamps(digestOf, 'a-token'), new Stamps(digestOf, 'a-token')]
  const serials = Array.from({ length: 100 }, (_, i) => i + 1)
  const stamps = serials.map((serial) => one.of(serial))
  assert.deepEqual(serials.toReversed().map((serial) => other.of(serial)).toReversed(), stamps)
  assert.equal(new Set(stamps).size, 100)
  for (const stamp of stamps) assert.match(stamp, /^[\w-]{8}$/)
})

test('another stream has other stamps, and the highest number has one', () => {
  const [one, other] = [new Stamps(digestOf, 'a-token'), new Stamps(digestOf, 'b-token')]
  assert.notEqual(one.of(1), other.of(1))
  assert.match(one.of(0xffff_ffff), /^[\w-]{8}$/)
})
