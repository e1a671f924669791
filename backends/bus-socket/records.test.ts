import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WireReader, literal, varint, varints, wireJson } from '@rollcall/ports'
import { MARK, RECORD_CHARS_MAX, RecordStream, messageHead, record } from './records.ts'

function collect(chunks: readonly string[]): string[] {
  const seen: string[] = []
  const stream = new RecordStream((mark, reader) => seen.push(`${mark} ${reader.rest()}`) > 0)
  for (const chunk of chunks) stream.feed(chunk)
  return seen
}

test('records come out whole, wherever the chunks are cut', () => {
  const bodies = fc.array(fc.string({ unit: fc.nat(255).map(code => String.fromCharCode(code)), maxLength: 300 }), { maxLength: 8 })
  fc.assert(fc.property(bodies, fc.array(fc.nat(2000), { maxLength: 12 }), (list, cuts) => {
    const text = list.map(body => record(MARK.message, body)).join('')
    const at = [0, ...cuts.map(cut => cut % (text.length + 1)).toSorted((one, other) => one - other), text.length]
    const chunks = at.slice(1).map((end, index) => text.slice(at[index], end)).filter(chunk => chunk !== '')
    assert.deepEqual(collect(chunks), list.map(body => `${MARK.message} ${body}`))
  }))
})

test('a large record in many small chunks arrives', () => {
  const body = 'x'.repeat(3_000_000)
  const text = record(MARK.message, body) + record(MARK.message, 'after')
  const chunks = Array.from({ length: Math.ceil(text.length / 1000) }, (_, at) => text.slice(at * 1000, at * 1000 + 1000))
  assert.deepEqual(collect(chunks).map(seen => seen.length), [body.length + 3, 'after'.length + 3])
})

test('the head of a one-way message is that of its record', () => {
  for (const length of [0, 1, 126, 127, 128, 4095, 4096, 20_000]) {
    const body = 'x'.repeat(length)
    assert.equal(messageHead(length) + body, record(MARK.message, body))
  }
})

test('a receiver that has enough gets no more, and what no sender writes is refused', () => {
  let count = 0
  new RecordStream(() => ++count < 2).feed(record(MARK.message, 'one') + record(MARK.message, 'two') + record(MARK.message, 'three'))
  assert.equal(count, 2)
  assert.throws(() => collect([`${varint(RECORD_CHARS_MAX + 1)}M`]), RangeError)
  assert.throws(() => collect(['\0M']), RangeError)
})

test('numbers and texts are read as they were written, and nothing beyond the end', () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.maxSafeNat(), fc.nat(70_000), fc.string({ unit: 'binary' }))), (list) => {
    const text = list.map(item => (typeof item === 'number' ? varint(item) : literal(item))).join('')
    assert.match(text, /^[\x00-\xff]*$/)
    const reader = new WireReader().load(text, 0, text.length)
    assert.deepEqual(list.map(item => (typeof item === 'number' ? reader.varint() : reader.literal())), list)
    assert.ok(reader.isAtEnd)
    assert.throws(() => reader.varint(), RangeError)
    assert.throws(() => reader.take(1), RangeError)
  }))
  for (const value of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) assert.throws(() => varint(value), RangeError)
  assert.throws(() => wireJson(undefined), TypeError)
})

test('many numbers are read as they were written', () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.maxSafeNat(), fc.nat(70_000)), { maxLength: 3000 }), (values) => {
    const text = varints(values)
    assert.equal(text, values.map(value => varint(value)).join(''))
    assert.deepEqual(new WireReader().load(text, 0, text.length).varints(values.length), values)
  }), { numRuns: 30 })
  for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => varints([value]), RangeError)
  assert.throws(() => new WireReader().load('abc', 0, 3).varints(4), RangeError)
})

test('a kept rest is a copy only where the text is long', () => {
  const reader = new WireReader()
  for (const pinnedMax of [0, 1000]) assert.equal(reader.load('before, after', 8, 13).keptRest(pinnedMax), 'after')
  assert.equal(reader.load('before', 6, 6).keptRest(0), '')
})
