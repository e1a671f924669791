import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Draws, logNormalSigma, powerLawMean } from './draws.ts'

const MANY = 200_000

function sample(draw: (draws: Draws) => number): number[] {
  const draws = new Draws(42, 7)
  return Array.from({ length: MANY }, () => draw(draws)).sort((a, b) => a - b)
}
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const isNear = (found: number, right: number, share: number): void => assert.ok(Math.abs(found - right) <= share * right, `${found}, not ${right}`)

it('repeats a stream from seed and number, and gives every stream its own', () => {
  const take = (seed: number, stream: number): number[] => {
    const draws = new Draws(seed, stream)
    return Array.from({ length: 8 }, () => draws.uint32())
  }
  assert.deepEqual(take(1, 2), take(1, 2))
  assert.notDeepEqual(take(1, 2), take(1, 3))
  assert.notDeepEqual(take(1, 2), take(2, 2))
})

it('draws fractions evenly', () => {
  const counts = new Array<number>(10).fill(0)
  for (const value of sample((draws) => draws.fraction())) counts[Math.floor(value * 10)]!++
  for (const count of counts) isNear(count, MANY / 10, 0.03)
})

it('draws waits of a Poisson process: mean and memory', () => {
  const waits = sample((draws) => draws.exponential(5))
  isNear(mean(waits), 5, 0.02)
  isNear(waits[MANY / 2]!, 5 * Math.LN2, 0.02)
})

it('draws log-normal values with the median and mean that were asked for', () => {
  const sizes = sample((draws) => draws.logNormal(20, logNormalSigma(20, 40)))
  isNear(sizes[MANY / 2]!, 20, 0.02)
  isNear(mean(sizes), 40, 0.05)
})

it('draws session lengths by the power law: bounds, mean, and the published share of short ones', () => {
  const lengths = sample((draws) => draws.powerLaw(1.77, 60, 43_200))
  assert.ok(lengths[0]! >= 60 && lengths.at(-1)! <= 43_200)
  isNear(mean(lengths), powerLawMean(1.77, 60, 43_200), 0.05)
  // P(length <= 10 minutes) = (1 - 10^-0.77) / (1 - 720^-0.77)
  isNear(lengths.filter((length) => length <= 600).length / MANY, (1 - 10 ** -0.77) / (1 - 720 ** -0.77), 0.02)
})
