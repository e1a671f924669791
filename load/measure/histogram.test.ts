import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { Histogram } from './histogram.ts'

const RELATIVE_ERROR = 1 / 128

function filled(values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

it('answers every quantile as sorting would, at most 0.8 % too high', () => {
  const values = fc.array(fc.oneof(fc.nat(300), fc.nat(100_000), fc.nat(0x7fff_ffff)), { minLength: 1, maxLength: 300 })
  fc.assert(fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
    const sorted = list.toSorted((a, b) => a - b)
    const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!
    const found = filled(list).quantile(share)
    assert.ok(found >= exact && found <= exact * (1 + RELATIVE_ERROR), `${found} for ${exact}`)
  }))
})

it('keeps count, mean and maximum exactly', () => {
  fc.assert(fc.property(fc.array(fc.nat(1_000_000), { minLength: 1 }), (list) => {
    const { count, meanUs, maxUs } = filled(list).summary()
    assert.equal(count, list.length)
    assert.equal(maxUs, Math.max(...list))
    assert.ok(Math.abs(meanUs - list.reduce((a, b) => a + b, 0) / list.length) < 1e-6)
  }))
})

it('is the same after adding two as after recording all', () => {
  fc.assert(fc.property(fc.array(fc.nat()), fc.array(fc.nat()), (one, other) => {
    const sum = filled(one)
    sum.add(filled(other))
    assert.deepEqual(sum.summary(), filled([...one, ...other]).summary())
  }))
})

it('takes what is out of range as the nearest that is in it', () => {
  const histogram = filled([-5, 1e12])
  assert.equal(histogram.quantile(0.5), 0)
  assert.equal(histogram.maxUs, 0x7fff_ffff)
})

it('answers 0 and an empty curve when nothing was recorded, also after clear', () => {
  const histogram = filled([7])
  histogram.clear()
  assert.deepEqual(histogram.summary(), new Histogram().summary())
  assert.equal(histogram.quantile(0.99), 0)
  assert.deepEqual(histogram.curve(), [])
})

it('draws a curve that never falls and ends at the maximum', () => {
  const curve = filled(Array.from({ length: 5000 }, (_, at) => at * at)).curve()
  for (let at = 1; at < curve.length; at++) assert.ok(curve[at]![1] >= curve[at - 1]![1])
  assert.deepEqual(curve.at(-1), [1, 4999 * 4999])
})
