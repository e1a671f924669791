import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AccountRecord } from './account-record.ts'
import { RecentRecords } from './recent-records.ts'

const JULIET = 'juliet@capulet.example'
const record: AccountRecord = { createdAt: 1, scram: {} }

function records() {
  const time = { nowMs: 0 }
  return { time, recent: new RecentRecords(() => time.nowMs) }
}

describe('records of logins under way', () => {
  it('are found for two seconds', () => {
    const { recent, time } = records()
    recent.keep(JULIET, record, recent.changeCount)
    time.nowMs = 2_000
    assert.equal(recent.find(JULIET), record)
    time.nowMs = 2_001
    assert.equal(recent.find(JULIET), undefined)
    assert.equal(recent.find('romeo@montague.example'), undefined)
  })

  it('are forgotten when the account changes, and not kept when anything changed while they were read', () => {
    const { recent } = records()
    const before = recent.changeCount
    recent.keep(JULIET, record, before)
    recent.forget(JULIET)
    assert.equal(recent.find(JULIET), undefined)
    recent.keep(JULIET, record, before)
    assert.equal(recent.find(JULIET), undefined)
    recent.keep(JULIET, record, recent.changeCount)
    assert.equal(recent.find(JULIET), record)
  })

  it('take bounded room: the old ones go as new ones come, the oldest first', () => {
    const { recent, time } = records()
    for (let i = 0; i < 10_001; i++) recent.keep(`user${i}@capulet.example`, record, recent.changeCount)
    assert.equal(recent.size, 10_000)
    assert.equal(recent.find('user0@capulet.example'), undefined)
    assert.equal(recent.find('user1@capulet.example'), record)
    time.nowMs = 3_000
    recent.keep(JULIET, record, recent.changeCount)
    assert.equal(recent.size, 1)
  })
})
