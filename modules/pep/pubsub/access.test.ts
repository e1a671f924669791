/** Access decisions (XEP-0060 §4.1, §4.5) as properties over every combination of facts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { pubsubAffiliations } from '@rollcall/protocol'
import { isImplicitSubscriber, mayPublish, readError, readRefusal } from './access.ts'
import { accessModels, pepDefaults } from './config.ts'
import type { AccessModel, NodeConfig } from './config.ts'

const groups = fc.subarray(['Friends', 'Servants', 'Kin'])
const config: fc.Arbitrary<NodeConfig> = fc.record({
  accessModel: fc.constantFrom(...Object.keys(accessModels) as AccessModel[]), rosterGroups: groups,
  publishModel: fc.constantFrom('publishers', 'subscribers', 'open'),
}).map((part) => Object.assign({}, pepDefaults, part))
const requester = fc.record({ affiliation: fc.constantFrom(...pubsubAffiliations), isWatcher: fc.boolean(), groups, isSubscribed: fc.boolean() })
type Case = readonly [NodeConfig, (typeof requester) extends fc.Arbitrary<infer T> ? T : never]

const holds = (check: (...facts: Case) => boolean) => fc.assert(fc.property(config, requester, (node, asker) => check(node, asker)), { numRuns: 1000 })

describe('who may read', () => {
  test('the owner always, outcasts and mere publishers never', () => holds((node, asker) => {
    if (asker.affiliation === 'owner') return readRefusal(node, asker) === undefined
    if (asker.affiliation === 'outcast' || asker.affiliation === 'publish-only') return readRefusal(node, asker) === 'forbidden'
    return true
  }))
  test('strangers without affiliation read open nodes and nothing else', () => holds((node, asker) =>
    asker.affiliation !== 'none' || asker.isWatcher || (readRefusal(node, asker) === undefined) === (node.accessModel === 'open')))
  test('nobody without affiliation reads a node with a list of members, subscribed or not', () => holds((node, asker) =>
    node.accessModel !== 'whitelist' || asker.affiliation !== 'none' || readRefusal(node, asker) === 'closed-node'))
  test('contacts read a node for groups exactly when they share one with it', () => holds((node, asker) => {
    if (node.accessModel !== 'roster' || asker.affiliation !== 'none') return true
    const isIn = asker.isWatcher && asker.groups.some((group) => node.rosterGroups.includes(group))
    return readRefusal(node, asker) === (isIn ? undefined : 'not-in-roster-group')
  }))
  test('becoming a contact never takes access away', () => holds((node, asker) =>
    readRefusal(node, { ...asker, isWatcher: false }) !== undefined || readRefusal(node, { ...asker, isWatcher: true }) === undefined))
})

describe('who is told without subscribing', () => {
  test('only those who may read, and never a stranger', () => holds((node, asker) =>
    !isImplicitSubscriber(node, asker) || (readRefusal(node, asker) === undefined && (asker.isWatcher || asker.affiliation === 'owner'))))
})

describe('who may publish', () => {
  test('owners and publishers always, outcasts never, others as the node says', () => holds((node, asker) => {
    const { affiliation } = asker
    if (affiliation === 'owner' || affiliation === 'publisher' || affiliation === 'publish-only') return mayPublish(node, asker)
    if (affiliation === 'outcast' || node.publishModel === 'publishers') return !mayPublish(node, asker)
    if (node.publishModel === 'open') return mayPublish(node, asker)
    const isSubscriber = asker.isSubscribed || isImplicitSubscriber(node, asker)
    return mayPublish(node, asker) === (isSubscriber && readRefusal(node, asker) === undefined)
  }))
})

test('each refusal has the error of XEP-0060 §6.5.9', () => {
  const told = (['forbidden', 'presence-subscription-required', 'not-in-roster-group', 'closed-node'] as const).map(readError)
    .map(({ condition, type, application }) => [condition, type, application?.name])
  assert.deepEqual(told, [
    ['forbidden', 'auth', undefined], ['not-authorized', 'auth', 'presence-subscription-required'],
    ['not-authorized', 'auth', 'not-in-roster-group'], ['not-allowed', 'cancel', 'closed-node'],
  ])
})
