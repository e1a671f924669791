import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import {
  inboundChange, isFrom, isPendingIn, isPendingOut, isSubscriptionType, isTo, outboundChange, stateOf, subscriptionOf, subscriptionState as s,
} from './subscription.ts'
import type { SubscriptionState, SubscriptionType } from './subscription.ts'
import { inboundTables, outboundTables } from './testing/appendix-a.ts'
import type { StateName } from './testing/appendix-a.ts'

const nameOf = (state: SubscriptionState): StateName =>
  (Object.keys(s) as StateName[]).find((name) => s[name] === state) ?? assert.fail(`${state} is not a state`)

const types: readonly SubscriptionType[] = ['subscribe', 'unsubscribe', 'subscribed', 'unsubscribed']
const allStates = Object.keys(s) as StateName[]
/** What a roster item shows of each state: subscription, then ask. */
const shown: Readonly<Record<StateName, string>> = {
  none: 'none', nonePendingOut: 'none ask', nonePendingIn: 'none', nonePendingOutIn: 'none ask', to: 'to',
  toPendingIn: 'to', from: 'from', fromPendingOut: 'from ask', both: 'both',
}

describe('subscription tables of RFC 6121 Appendix A', () => {
  for (const type of types) {
    for (const [state, isRouted, next] of outboundTables[type]) {
      it(`§A.2 outbound ${type} in ${state}: ${isRouted ? 'routed' : 'not routed'}, then ${next}`, () => {
        const change = outboundChange(type, s[state], false)
        assert.equal(nameOf(change.state), next)
        assert.equal(change.isRouted, isRouted)
      })
    }
    for (const [state, isDelivered, next] of inboundTables[type]) {
      it(`§A.3 inbound ${type} in ${state}: ${isDelivered ? 'delivered' : 'not delivered'}, then ${next}`, () => {
        const change = inboundChange(type, s[state], false)
        assert.equal(nameOf(change.state), next)
        assert.equal(change.isDelivered, isDelivered)
        assert.equal(change.isApproved, false)
      })
    }
  }

  it('has a line for each of the nine states in every table', () => {
    for (const cells of [...Object.values(outboundTables), ...Object.values(inboundTables)]) {
      assert.deepEqual(cells.map(([state]) => state).sort(), [...allStates].sort())
    }
  })

  it('§2.1.6 pushes exactly when subscription, ask or approved change', () => {
    for (const type of types) {
      for (const isApproved of [false, true]) {
        for (const state of allStates) {
          const sent = outboundChange(type, s[state], isApproved)
          assert.equal(sent.isPushed, shown[nameOf(sent.state)] !== shown[state] || sent.isApproved !== isApproved, `outbound ${type} in ${state}`)
          const came = inboundChange(type, s[state], isApproved)
          assert.equal(came.isPushed, shown[nameOf(came.state)] !== shown[state] || came.isApproved !== isApproved, `inbound ${type} in ${state}`)
        }
      }
    }
  })
})

describe('automatic answers', () => {
  it('§A.3.1 answers a request from somebody who is subscribed already', () => {
    for (const state of allStates) {
      const expected = state === 'from' || state === 'fromPendingOut' || state === 'both' ? 'subscribed' : undefined
      assert.equal(inboundChange('subscribe', s[state], false).reply, expected, state)
    }
  })

  it('§A.3.2 answers an unsubscribe that changed something', () => {
    for (const [state, isDelivered] of inboundTables.unsubscribe) {
      assert.equal(inboundChange('unsubscribe', s[state], false).reply, isDelivered ? 'unsubscribed' : undefined, state)
    }
  })

  it('never answers an answer', () => {
    for (const state of allStates) {
      for (const isApproved of [false, true]) {
        assert.equal(inboundChange('subscribed', s[state], isApproved).reply, undefined)
        assert.equal(inboundChange('unsubscribed', s[state], isApproved).reply, undefined)
      }
    }
  })
})

describe('pre-approval (§3.4)', () => {
  it('§3.4.2 is noted for none, none + pending out and to, and only there', () => {
    for (const state of allStates) {
      const isNoted = state === 'none' || state === 'nonePendingOut' || state === 'to'
      const change = outboundChange('subscribed', s[state], false)
      assert.equal(change.isApproved, isNoted, state)
      if (isNoted) assert.deepEqual(change, { state: s[state], isApproved: true, isRouted: false, isPushed: true })
    }
  })

  it('§3.4.2 grants a request that comes later without asking the user', () => {
    const granted: Partial<Record<StateName, StateName>> = {
      none: 'from', nonePendingOut: 'fromPendingOut', nonePendingIn: 'from', nonePendingOutIn: 'fromPendingOut', to: 'both', toPendingIn: 'both',
    }
    for (const [state, next] of Object.entries(granted) as [StateName, StateName][]) {
      const change = inboundChange('subscribe', s[state], true)
      assert.deepEqual(change, { state: s[next], isApproved: true, isDelivered: false, isPushed: true, reply: 'subscribed' }, state)
    }
  })

  it('§3.2.2 is cancelled by unsubscribed, which then is not routed', () => {
    for (const state of ['none', 'nonePendingOut', 'to'] as const) {
      assert.deepEqual(outboundChange('unsubscribed', s[state], true), { state: s[state], isApproved: false, isRouted: false, isPushed: true })
    }
    assert.deepEqual(outboundChange('unsubscribed', s.both, true), { state: s.to, isApproved: false, isRouted: true, isPushed: true })
  })

  it('survives everything that the contact sends', () => {
    for (const type of types) for (const state of allStates) assert.equal(inboundChange(type, s[state], true).isApproved, true)
  })

  it('survives asking and forgoing the contact\'s presence', () => {
    for (const type of ['subscribe', 'unsubscribe'] as const) {
      for (const state of allStates) assert.equal(outboundChange(type, s[state], true).isApproved, true)
    }
  })
})

describe('states and attributes', () => {
  it('names the subscription of every state', () => {
    for (const state of allStates) assert.equal(subscriptionOf(s[state]), shown[state].split(' ')[0])
  })

  it('is rebuilt from its attributes', () => {
    for (const state of allStates) {
      assert.equal(stateOf(subscriptionOf(s[state]), isPendingOut(s[state]), isPendingIn(s[state])), s[state])
    }
  })

  it('§A.1 leaves out pending flags that contradict the subscription', () => {
    assert.equal(stateOf('both', true, true), s.both)
    assert.equal(stateOf('to', true, true), s.toPendingIn)
    assert.equal(stateOf('from', true, true), s.fromPendingOut)
  })

  it('says who sees whom', () => {
    assert.deepEqual(allStates.filter((state) => isFrom(s[state])), ['from', 'fromPendingOut', 'both'])
    assert.deepEqual(allStates.filter((state) => isTo(s[state])), ['to', 'toPendingIn', 'both'])
  })

  it('knows the four subscription types', () => {
    for (const type of types) assert.equal(isSubscriptionType(type), true)
    for (const type of ['', 'unavailable', 'probe', 'error', 'Subscribe']) assert.equal(isSubscriptionType(type), false)
  })
})
