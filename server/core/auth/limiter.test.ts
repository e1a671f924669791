import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StanzaError } from '@rollcall/stanza'
import { Limiter } from './limiter.ts'

const isBusy = (error: unknown): boolean => error instanceof StanzaError && error.condition === 'resource-constraint'

describe('limiter', () => {
  it('runs so many at once, in order, and refuses what would wait too long', async () => {
    const limiter = new Limiter(2, 3)
    const ends: (() => void)[] = []
    const started: number[] = []
    const job = (number: number) => (): Promise<number> => {
      started.push(number)
      return new Promise(resolve => ends.push(() => resolve(number)))
    }
    const jobs = [0, 1, 2, 3, 4].map(number => limiter.run(job(number)))
    assert.equal(limiter.waitingCount, 3)
    await assert.rejects(limiter.run(job(5)), isBusy)
    for (let at = 0; at < 5; at++) {
      await new Promise(setImmediate)
      assert.equal(started.length, Math.min(5, at + 2))
      ends[at]?.()
    }
    assert.deepEqual(await Promise.all(jobs), [0, 1, 2, 3, 4])
    assert.deepEqual(started, [0, 1, 2, 3, 4])
    assert.equal(limiter.waitingCount, 0)
  })

  it('a job that fails makes room too', async () => {
    const limiter = new Limiter(1, 1)
    const failed = limiter.run(() => Promise.reject(new Error('no')))
    const next = limiter.run(() => Promise.resolve('yes'))
    await assert.rejects(failed, /no/)
    assert.equal(await next, 'yes')
    assert.equal(await limiter.run(() => Promise.resolve('again')), 'again')
  })
})
