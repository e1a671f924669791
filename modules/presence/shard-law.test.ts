/** The law by shards: sums per group of shards, for the sender. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { recordingMetrics } from '@rollcall/testing'
import type { RecordingMetrics } from '@rollcall/testing'
import { SHARD_COUNT, shardOf } from '../../server/protocol/placement.ts'
import { enter, JULIET, NURSE, openScene, rowIn, seed } from '../roster/testing/verona.ts'
import { BUSY_WINDOW_MS } from './window.ts'
import { ShardLaw } from './shard-law.ts'

/** The shard of `citizen7` is 7. */
const shards = { count: 16, of: (account: Jid) => Number(account.localpart.slice('citizen'.length)) }
const citizen = (at: number): Jid => jidOf(`citizen${at}`, 'verona.example')

function lawOf(groups: number): { readonly metrics: RecordingMetrics; readonly law: ShardLaw } {
  const metrics = recordingMetrics()
  return { metrics, law: new ShardLaw(shards, metrics, groups) }
}

describe('the law by shards', () => {
  it('is counted in groups of neighbours', () => {
    const { law, metrics } = lawOf(4)
    for (const at of [0, 3, 4, 15]) law.changed(citizen(at), 10)
    law.delivered(citizen(3), 7)
    law.suppressed(citizen(4))
    law.coalesced(citizen(15))
    law.told(citizen(15), 0.25)
    const value = (name: string, label: string) => metrics.value(`rollcall_presence_shards_${name}_total`, { shards: label })
    assert.deepEqual(['0-3', '4-7', '8-11', '12-15'].map((label) => value('changes', label)), [2, 2, 0, 1])
    assert.deepEqual(['0-3', '4-7', '8-11', '12-15'].map((label) => value('predicted', label)), [20, 10, 0, 10])
    assert.deepEqual([value('delivered', '0-3'), value('suppressed', '4-7'), value('coalesced', '12-15')], [7, 1, 1])
    assert.deepEqual([value('told', '12-15'), value('seconds', '12-15')], [1, 0.25])
  })

  it('shows every shard by itself when asked to, divides evenly, and can be turned off', () => {
    const each = lawOf(1_000)
    each.law.changed(citizen(5), 3)
    assert.equal(each.metrics.value('rollcall_presence_shards_predicted_total', { shards: '5' }), 3)
    const some = lawOf(5)
    some.law.changed(citizen(15), 3)
    assert.equal(some.metrics.value('rollcall_presence_shards_predicted_total', { shards: '12-15' }), 3)
    const none = lawOf(0)
    none.law.changed(citizen(5), 3)
    assert.equal(none.metrics.value('rollcall_presence_shards_predicted_total', { shards: '5' }), undefined)
  })

  it('is that of real traffic', async () => {
    const host = await openScene({ presence: { shardGroups: SHARD_COUNT } })
    try {
      await seed(host, JULIET, { [NURSE]: rowIn('both') })
      await seed(host, NURSE, { [JULIET]: rowIn('both') })
      await enter(host, 'nurse', 'kitchen')
      const juliet = await enter(host, 'juliet', 'balcony')
      const label = { shards: String(shardOf(juliet.jid)) }
      const values = () => ['changes', 'predicted', 'delivered', 'suppressed', 'coalesced', 'told'].map(
        (name) => host.metrics.value(`rollcall_presence_shards_${name}_total`, label),
      )
      assert.deepEqual(values(), [1, 1, 1, 0, 0, 1])
      juliet.send('<presence><show>away</show></presence>')
      juliet.send('<presence><show>away</show></presence>')
      await host.settle()
      assert.deepEqual(values(), [3, 2, 2, 1, 0, 2])
      host.load.lag = 60
      for (const show of ['xa', 'dnd']) juliet.send(`<presence><show>${show}</show></presence>`)
      await host.advance(BUSY_WINDOW_MS)
      assert.deepEqual(values(), [5, 4, 3, 1, 1, 3])
    } finally {
      await host.stop()
    }
  })
})
