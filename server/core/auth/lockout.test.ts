import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '@rollcall/testing'
import { Lockout } from './lockout.ts'

const config = { freeFailures: 3, baseMs: 1000, maxMs: 10_000, forgetMs: 60_000, accountsMax: 4 }

function lockoutOf(): { clock: FakeClock; lockout: Lockout } {
  const clock = new FakeClock()
  return { clock, lockout: new Lockout(config, () => clock.monotonic()) }
}

describe('lock-out', () => {
  it('failures are free at first, then each doubles the wait up to a maximum', () => {
    const { lockout } = lockoutOf()
    const waits = Array.from({ length: 9 }, () => lockout.fail('juliet'))
    assert.deepEqual(waits, [0, 0, 0, 1000, 2000, 4000, 8000, 10_000, 10_000])
    assert.equal(lockout.waitMs('juliet'), 10_000)
    assert.equal(lockout.waitMs('romeo'), 0)
  })

  it('a wait runs out; the count goes on from where it was', () => {
    const { clock, lockout } = lockoutOf()
    for (let failure = 0; failure < 4; failure++) lockout.fail('juliet')
    clock.advance(999)
    assert.equal(lockout.waitMs('juliet'), 1)
    clock.advance(1)
    assert.equal(lockout.waitMs('juliet'), 0)
    assert.equal(lockout.fail('juliet'), 2000)
  })

  it('success, or a quiet time, starts the count anew', () => {
    const { clock, lockout } = lockoutOf()
    for (let failure = 0; failure < 3; failure++) lockout.fail('juliet')
    lockout.succeed('juliet')
    assert.equal(lockout.fail('juliet'), 0)
    for (let failure = 0; failure < 3; failure++) lockout.fail('juliet')
    clock.advance(config.forgetMs)
    assert.equal(lockout.fail('juliet'), 0)
  })

  it('the wall clock does not matter', () => {
    const { clock, lockout } = lockoutOf()
    for (let failure = 0; failure < 4; failure++) lockout.fail('juliet')
    clock.jumpWall(86_400_000)
    assert.equal(lockout.waitMs('juliet'), 1000)
  })

  it('remembers so many accounts, and forgets the one that failed longest ago first', () => {
    const { clock, lockout } = lockoutOf()
    for (let failure = 0; failure < 4; failure++) lockout.fail('juliet')
    for (const name of ['a', 'b', 'c']) lockout.fail(name)
    lockout.fail('juliet')
    lockout.fail('d')
    assert.equal(lockout.size, 4)
    assert.equal(lockout.waitMs('juliet'), 2000)
    for (const name of ['e', 'f', 'g']) lockout.fail(name)
    assert.equal(lockout.size, 4)
    lockout.fail('h')
    assert.equal(lockout.waitMs('juliet'), 0, 'pushed out')
    clock.advance(config.forgetMs)
    lockout.fail('i')
    assert.equal(lockout.size, 1, 'the others are forgotten with time')
  })

  it('stays finite after very many failures', () => {
    const { lockout } = lockoutOf()
    for (let failure = 0; failure < 2000; failure++) lockout.fail('juliet')
    assert.equal(lockout.waitMs('juliet'), config.maxMs)
  })
})
