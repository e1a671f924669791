/**
 * Acked means safe, shown by killing the server: see `campaign.ts`. By default some two minutes of a fixed plan, as part of all
 * tests. ROLLCALL_CRASH_SECONDS makes it longer, ROLLCALL_CRASH_SEED repeats another plan, ROLLCALL_CRASH_REPORT names a file
 * for the line of results. A slow machine makes it longer, not fail.
 */
import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { useServer } from '../harness.ts'
import { Campaign, crashServer } from './campaign.ts'

const SECONDS = Number(process.env.ROLLCALL_CRASH_SECONDS ?? 90)
const SEED = Number(process.env.ROLLCALL_CRASH_SEED ?? 174341)
const REPORT = process.env.ROLLCALL_CRASH_REPORT
const ROUND_MS = 20_000
const TIMEOUT_MS = 20 * 60_000

describe('a server that is killed, restarted, frozen, slowed down and cut off from its clients', () => {
  const server = useServer(crashServer)

  it('loses, doubles and reorders nothing that it acknowledged, and shows everybody as they are', { timeout: SECONDS * 4000 + TIMEOUT_MS }, async (context) => {
    const campaign = new Campaign(server, SEED)
    try {
      const until = Date.now() + SECONDS * 1000
      while (Date.now() < until && campaign.ledger.violations.length === 0) await campaign.round(ROUND_MS)
    } finally {
      campaign.dismiss()
    }
    context.diagnostic(campaign.summary)
    if (REPORT !== undefined) appendFileSync(REPORT, `${campaign.summary}\n`)
    assert.ok(campaign.chaos.kills > 0 && campaign.ledger.counts.acknowledged > 0, campaign.summary)
    assert.deepEqual(campaign.ledger.violations, [], campaign.summary)
  })
})
