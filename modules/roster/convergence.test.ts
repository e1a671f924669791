/**
 * Two accounts of one server send each other whatever they like: their rosters never disagree about who sees whom
 * (RFC 6121 §3), what storage has is what memory has, and presence goes exactly to those who may see it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { Roster } from './port.ts'
import type { RosterEntry } from './port.ts'
import { enter, JULIET, NURSE, openScene, storedRow } from './testing/verona.ts'
import { defineModule } from '@rollcall/module-api'

const acts = ['subscribe', 'subscribe', 'subscribed', 'subscribed', 'unsubscribe', 'unsubscribed', 'remove', 'add', 'leave', 'come'] as const
const step = fc.record({ isJuliet: fc.boolean(), act: fc.constantFrom(...acts) })

async function scene(): Promise<{ host: TestHost; roster: Roster }> {
  const found: { roster?: Roster } = {}
  const finder = defineModule({
    name: 'finder', summary: 'Hands the roster to the test.', implements: [], needs: { roster: Roster },
    setup({ ports }) {
      found.roster = ports.roster
    },
  })
  const host = await openScene({ modules: [finder] })
  assert.ok(found.roster !== undefined)
  return { host, roster: found.roster }
}

function act(entity: ScriptedEntity, contact: string, what: (typeof acts)[number]): void {
  if (what === 'leave') entity.send(`<presence type='unavailable'/>`)
  else if (what === 'come') entity.send(`<presence/>`)
  else if (what === 'add') entity.send(`<iq type='set' id='a'><query xmlns='jabber:iq:roster'><item jid='${contact}' name='x'/></query></iq>`)
  else if (what === 'remove') entity.send(`<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='${contact}' subscription='remove'/></query></iq>`)
  else entity.send(`<presence to='${contact}' type='${what}'/>`)
}

async function checkStored(host: TestHost, owner: string, contact: string, entry: RosterEntry | undefined): Promise<void> {
  const row = await storedRow(host, owner, contact)
  assert.equal(row?.subscription ?? 'none', entry?.subscription ?? 'none')
  assert.equal(row?.ask === true, entry?.isPendingOut === true)
  assert.equal(row?.request !== undefined, entry?.isPendingIn === true)
  assert.equal(row?.approved === true, entry?.isApproved === true)
}

describe('rosters of two contacts', () => {
  it('agree after any exchange, in memory, in storage and about presence', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const { host, roster } = await scene()
      try {
        const juliet = await enter(host, 'juliet', 'balcony')
        const nurse = await enter(host, 'nurse', 'kitchen')
        for (const { isJuliet, act: what } of steps) {
          act(isJuliet ? juliet : nurse, isJuliet ? NURSE : JULIET, what)
          await host.settle()
        }
        const ofJuliet = host.core.accounts.warm(juliet.jid)
        const ofNurse = host.core.accounts.warm(nurse.jid)
        assert.ok(ofJuliet !== undefined && ofNurse !== undefined)
        const toNurse = roster.item(ofJuliet, nurse.jid)
        const toJuliet = roster.item(ofNurse, juliet.jid)
        assert.equal(toNurse?.isTo ?? false, toJuliet?.isFrom ?? false)
        assert.equal(toNurse?.isFrom ?? false, toJuliet?.isTo ?? false)
        assert.equal(toNurse?.isPendingOut ?? false, toJuliet?.isPendingIn ?? false)
        assert.equal(toNurse?.isPendingIn ?? false, toJuliet?.isPendingOut ?? false)
        await checkStored(host, JULIET, NURSE, toNurse)
        await checkStored(host, NURSE, JULIET, toJuliet)
        nurse.send(`<presence/>`)
        await host.settle()
        nurse.clear()
        juliet.send(`<presence><show>dnd</show></presence>`)
        const heard = (await nurse.all()).filter((element) => element.attribute('from') === `${JULIET}/balcony`)
        assert.equal(heard.length, toNurse?.isFrom === true ? 1 : 0)
      } finally {
        await host.stop()
      }
    }), { numRuns: 60 })
  })
})
