/** RFC 6121 Appendix A on a whole core: every state, every stanza, both directions, as seen on the wire and in storage. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { XmlElement } from '@rollcall/xml'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { isFrom, stateOf, subscriptionState } from './subscription.ts'
import type { SubscriptionType } from './subscription.ts'
import { inboundTables, outboundTables } from './testing/appendix-a.ts'
import type { StateName } from './testing/appendix-a.ts'
import { enter, JULIET, openScene, ROMEO, rowIn, seed, storedRow } from './testing/verona.ts'

interface Seen {
  readonly toContact: readonly string[]
  readonly toUser: readonly string[]
  readonly state: number
}

/** Sets the scene in a state, lets `act` happen, and says what moved: presence types, and 'push' for roster pushes. */
async function observe(state: StateName, act: (host: TestHost, juliet: ScriptedEntity, remote: ScriptedEntity) => void): Promise<Seen> {
  const host = await openScene()
  try {
    await seed(host, JULIET, { [ROMEO]: rowIn(state) })
    const remote = await host.component('montague.example')
    const juliet = await enter(host, 'juliet')
    remote.clear()
    act(host, juliet, remote)
    const toContact = (await remote.all()).map(nameOf)
    const toUser = (await juliet.all()).map(nameOf)
    const row = await storedRow(host, JULIET, ROMEO)
    const end = stateOf(row?.subscription ?? 'none', row?.ask === true, row?.request !== undefined)
    return { toContact, toUser, state: end }
  } finally {
    await host.stop()
  }
}

function nameOf(element: XmlElement): string {
  return element.name === 'iq' ? 'push' : element.attribute('type') ?? 'available'
}

const types: readonly SubscriptionType[] = ['subscribe', 'unsubscribe', 'subscribed', 'unsubscribed']
const s = subscriptionState
const withoutPendingIn = (state: StateName): number => s[state] & 7

describe('RFC 6121 §A.2 on the wire: what the user sends', () => {
  for (const type of types) {
    for (const [state, isRouted, next] of outboundTables[type]) {
      it(`${type} in ${state}`, async () => {
        const seen = await observe(state, (_host, juliet) => juliet.send(`<presence type='${type}' to='${ROMEO}' id='o1'/>`))
        const isPreApproval = type === 'subscribed' && (state === 'none' || state === 'nonePendingOut' || state === 'to')
        const isWatcherLost = isFrom(s[state]) && !isFrom(s[next])
        const isWatcherWon = !isFrom(s[state]) && isFrom(s[next])
        assert.deepEqual(seen.toContact, [...(isWatcherLost ? ['unavailable'] : []), ...(isRouted ? [type] : []), ...(isWatcherWon ? ['available'] : [])])
        assert.deepEqual(seen.toUser, isPreApproval || withoutPendingIn(next) !== withoutPendingIn(state) ? ['push'] : [])
        assert.equal(seen.state, s[next])
      })
    }
  }
})

describe('RFC 6121 §A.3 on the wire: what the contact sends', () => {
  for (const type of types) {
    for (const [state, isDelivered, next] of inboundTables[type]) {
      it(`${type} in ${state}`, async () => {
        const seen = await observe(state, (_host, _juliet, remote) =>
          remote.send(`<presence from='${ROMEO}' to='${JULIET}' type='${type}' id='i1'/>`))
        const isWatcherLost = isFrom(s[state]) && !isFrom(s[next])
        const answers = type === 'subscribe' && isFrom(s[state]) ? ['subscribed', 'available']
          : type === 'unsubscribe' && isDelivered ? [...(isWatcherLost ? ['unavailable'] : []), 'unsubscribed'] : []
        assert.deepEqual(seen.toContact, answers)
        const isPushed = withoutPendingIn(next) !== withoutPendingIn(state)
        assert.deepEqual(seen.toUser, [...(isDelivered ? [type] : []), ...(isPushed ? ['push'] : [])])
        assert.equal(seen.state, s[next])
      })
    }
  }
})
