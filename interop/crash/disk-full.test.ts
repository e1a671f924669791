/** What acknowledgements mean when nothing more can be written: a message that cannot be kept is refused, and the others are safe. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { SeededRandom } from '@rollcall/testing'
import { useServer } from '../harness.ts'
import { Campaign, crashServer } from './campaign.ts'

const SEED = Number(process.env.ROLLCALL_CRASH_SEED ?? 1597)
const SMALL_BYTES = 2 * 1024 * 1024
const TEXT_LENGTH = 4000
const MESSAGES_MAX = 1000
const REFUSED_WANTED = 20
const MESSAGES_AFTER = 50

describe('a server whose disk is full', () => {
  const { storage } = crashServer.settings
  const server = useServer({ ...crashServer, settings: { ...crashServer.settings, storage: { ...storage, databaseBytesMax: SMALL_BYTES } } })

  it('refuses what it cannot keep, keeps what it acknowledged, and goes on when there is room, after a crash too', { timeout: 120_000 }, async (context) => {
    const campaign = new Campaign(server, SEED)
    const random = new SeededRandom(SEED)
    try {
      await campaign.gather()
      // Some messages wait for somebody who is away.
      for (const device of campaign.devices.filter(({ account }) => account.startsWith('nurse') || account.startsWith('tybalt'))) device.leave()
      for (let sent = 0; sent < MESSAGES_MAX && campaign.ledger.counts.refused < REFUSED_WANTED; sent += 10) {
        for (let left = 10; left > 0; left--) campaign.sendOne(random, TEXT_LENGTH)
        await campaign.calm(0)
      }
      assert.ok(campaign.ledger.counts.refused >= REFUSED_WANTED, `nothing was refused: ${campaign.summary}`)
      // A login needs nothing that is to be written.
      campaign.devices[0]?.forget()
      await campaign.calm()
      campaign.chaos.kills++
      await server.kill()
      makeRoom(join(server.folder, 'rollcall.yaml'))
      await server.start()
      await campaign.gather()
      const refusedBefore = campaign.ledger.counts.refused
      for (let left = MESSAGES_AFTER; left > 0; left--) campaign.sendOne(random, TEXT_LENGTH)
      await campaign.calm()
      assert.equal(campaign.ledger.counts.refused, refusedBefore, 'with room nothing is refused')
      await campaign.close({ mayRefuse: true })
    } finally {
      campaign.dismiss()
    }
    context.diagnostic(campaign.summary)
    assert.deepEqual(campaign.ledger.violations, [], campaign.summary)
  })
})

function makeRoom(configFile: string): void {
  const config = JSON.parse(readFileSync(configFile, 'utf8')) as { storage: { databaseBytesMax: number } }
  config.storage.databaseBytesMax = 0
  writeFileSync(configFile, JSON.stringify(config))
}
