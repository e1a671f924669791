import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { SHARD_COUNT } from '../protocol/placement.ts'
import { rendezvous, ShardTable } from './shard-table.ts'

const ownersOf = (members: readonly string[]) => rendezvous(members).map((index) => members[index] as string)

test('shards spread over members within a fifth of their fair share', () => {
  for (const count of [1, 2, 3, 5, 8, 16]) {
    const members = Array.from({ length: count }, (_, i) => `worker-${i + 1}`)
    const shares = new Map<string, number>()
    for (const owner of ownersOf(members)) shares.set(owner, (shares.get(owner) ?? 0) + 1)
    for (const member of members) {
      const share = (shares.get(member) ?? 0) / (SHARD_COUNT / count)
      assert.ok(share > 0.8 && share < 1.2, `${member} of ${count}: ${share}`)
    }
  }
})

test('a member that goes leaves its shards to the others, and no other shard moves', () => {
  const before = ownersOf(['worker-1', 'worker-2', 'worker-3'])
  const after = ownersOf(['worker-3', 'worker-1'])
  const heirs = new Map<string, number>()
  before.forEach((owner, shard) => {
    if (owner !== 'worker-2') assert.equal(after[shard], owner)
    else heirs.set(after[shard] as string, (heirs.get(after[shard] as string) ?? 0) + 1)
  })
  assert.equal(heirs.size, 2)
  for (const count of heirs.values()) assert.ok(count > SHARD_COUNT / 3 / 2 * 0.8)
})

test('a member that comes takes shards from all others, and no shard moves between those', () => {
  const before = ownersOf(['worker-1', 'worker-2'])
  const after = ownersOf(['worker-1', 'worker-2', 'worker-2.1'])
  const givers = new Set<string>()
  after.forEach((owner, shard) => {
    if (owner === 'worker-2.1') givers.add(before[shard] as string)
    else assert.equal(owner, before[shard])
  })
  assert.deepEqual([...givers].sort(), ['worker-1', 'worker-2'])
})

test('shards on the move are nowhere, and the others stay usable', () => {
  const table = new ShardTable('worker-1')
  const accounts = Array.from({ length: 200 }, (_, i) => parseJid(`juliet${i}@capulet.example`))
  assert.ok(accounts.every((jid) => !table.isHere(jid) && table.isMoving(jid)))
  table.begin(ownersOf(['worker-1', 'worker-2']))
  table.settle(1)
  assert.equal(table.epoch, 1)
  assert.ok(accounts.every((jid) => table.isHere(jid) === (table.memberOf(jid) === 'worker-1') && !table.isMoving(jid)))
  const here = accounts.filter((jid) => table.isHere(jid))
  const count = table.begin(ownersOf(['worker-1']))
  assert.ok(count > 0 && count < SHARD_COUNT)
  assert.ok(here.every((jid) => table.isHere(jid)))
  const moving = accounts.filter((jid) => table.isMoving(jid))
  assert.equal(moving.length, accounts.length - here.length)
  assert.ok(moving.every((jid) => !table.isHere(jid) && table.memberOf(jid) === 'worker-1'))
  table.settle(2)
  assert.ok(accounts.every((jid) => table.isHere(jid)))
})
