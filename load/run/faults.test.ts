import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accountsOf, populationOf } from '../model/population.ts'
import { defaultProfile } from '../model/profile.ts'
import type { Profile } from '../model/profile.ts'
import { BUSY_FIRST, FakeServer } from '../testing/fake-server.ts'
import type { Fault } from '../testing/fake-server.ts'
import { LoadError, LoadRun } from './load-run.ts'
import type { RunReport } from './make-report.ts'
import { defaultLimits } from './settings.ts'

// Few contacts, so that there are strangers; two or three messages and changes a second and client.
const base: Profile = {
  ...defaultProfile, users: 14, durationSeconds: 1.5, timeFactor: 1000, roster: { median: 4, mean: 4, max: 4 },
  changesPerHour: [5, 8], messages: { ...defaultProfile.messages, perHour: [10, 20], toBareShare: 0.2 }, logins: { perSecond: 200 },
}

async function runAgainst(fault: Fault, changes: Partial<Profile> = {}): Promise<{ report: RunReport; server: FakeServer }> {
  const profile = { ...base, ...changes }
  const population = populationOf(profile, 'pw')
  const server = new FakeServer(accountsOf(population), fault)
  const port = await server.start()
  const endpoint = { host: '127.0.0.1', port, tls: 'none', domain: 'capulet.example', sourceAddresses: [] } as const
  try {
    const run = new LoadRun({
      profile, population, target: { name: 'fake', endpoint, pids: [] }, mechanism: undefined, isSpinning: false,
      limits: { ...defaultLimits, drainTimeoutMs: 1000, closeTimeoutMs: 1000 },
    })
    return { report: await run.run(), server }
  } finally {
    await server.stop()
  }
}

/** Counts by kind, of violations and failures. */
const found = ({ violations, failures }: RunReport): Record<string, number> =>
  Object.fromEntries([...violations, ...failures].map(({ kind, count }) => [kind, count]))

const expected: readonly (readonly [Fault, Record<string, number>])[] = [
  ['none', {}],
  ['message-dropped', { 'message-missing': 1 }],
  ['message-doubled', { 'message-duplicate': 1 }],
  ['message-overtaken', { 'message-out-of-order': 1 }],
  ['message-to-another', { 'message-stranger': 1, 'message-missing': 1 }],
  ['message-from-another', { 'message-stranger': 1, 'message-missing': 1 }],
  ['message-returned', { 'message-error': 1, 'message-missing': 1 }],
  ['presence-dropped', { 'presence-wrong-state': 1 }],
  ['presence-doubled', { 'presence-duplicate': 1 }],
  ['presence-stale', { 'presence-out-of-order': 1 }],
  ['presence-of-stranger', { 'presence-stranger': 1 }],
  ['presence-error', { 'presence-error': 1 }],
  ['roster-short', { 'roster-wrong': 1 }],
  ['connection-dropped', { 'connection-lost': 1 }],
]

describe('a run against a server that does one thing wrong', { concurrency: 18 }, () => {
  for (const [fault, violations] of expected) {
    it(`finds exactly what is wrong: ${fault}`, async () => {
      const { report, server } = await runAgainst(fault)
      assert.equal(server.fault, 'none', 'the fault has happened')
      assert.deepEqual(found(report), violations)
      assert.ok(report.counts.messagesDelivered > 50, `${report.counts.messagesDelivered} messages delivered`)
      assert.ok(report.counts.presencesDelivered > 100, `${report.counts.presencesDelivered} presences delivered`)
    })
  }

  it('sees ghosts: clients that were cut off and stay available', async () => {
    const { report } = await runAgainst('ghosts', { onlineShare: 0.5, timeFactor: 2000, session: { ...defaultProfile.session, maxHours: 2, abruptShare: 1 } })
    assert.deepEqual(report.failures, [])
    assert.ok((found(report)['presence-wrong-state'] ?? 0) > 0)
  })

  it('sees nothing wrong when clients come, go, flap and are cut off, and a server does everything right', async () => {
    const { report } = await runAgainst('none', {
      onlineShare: 0.6, timeFactor: 2000, session: { ...defaultProfile.session, maxHours: 2, abruptShare: 0.5 },
      flapping: { share: 0.3, periodSeconds: 0.4, how: 'abrupt' }, storms: [{ atSeconds: 0.7, share: 0.5, overSeconds: 0.3 }],
    })
    assert.deepEqual(found(report), {})
    const run = report.phases.find(({ name }) => name === 'run')
    assert.ok((run?.logins ?? 0) > 10, `${run?.logins} logins during the run`)
  })

  it('sees nothing wrong when clients go and come by presence alone', async () => {
    const { report } = await runAgainst('none', { flapping: { share: 0.5, periodSeconds: 0.3, how: 'toggle' } })
    assert.deepEqual(found(report), {})
  })

  it('does the same things again for the same seed, and others for another', async () => {
    const [first, again, other] = await Promise.all([5, 5, 6].map(async (seed) => (await runAgainst('none', { seed })).server.sent))
    let compared = 0
    let differing = 0
    for (const [sender, targets] of first!) {
      // What is due in the last turn may fall on either side of the end.
      const length = Math.min(targets.length, again!.get(sender)?.length ?? 0)
      assert.deepEqual(targets.slice(0, length), again!.get(sender)?.slice(0, length) ?? [])
      compared += length
      if (targets.slice(0, length).join() !== other!.get(sender)?.slice(0, length).join()) differing++
    }
    assert.ok(compared > 50, `${compared} messages compared`)
    assert.ok(differing > 5, `${differing} senders differ between seeds`)
  })

  it('tries again for as long as a server is busy', async () => {
    const { report, server } = await runAgainst('busy-at-first')
    assert.equal(server.fault, 'none')
    assert.deepEqual(found(report), { 'login-failed': BUSY_FIRST })
  })

  it('gives up when nobody can log in', async () => {
    await assert.rejects(runAgainst('login-refused'), (error) => error instanceof LoadError && /not-authorized/.test(error.message))
  })
})
