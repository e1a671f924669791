import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { PairTable } from '../check/pair-table.ts'
import { accountLines, parseAccounts } from './accounts.ts'
import { Agenda } from './agenda.ts'
import { Behaviour, loginOrder } from './behaviour.ts'
import { powerLawMean } from './draws.ts'
import { mutualGraph } from './graph.ts'
import { accountsOf, populationFrom, populationOf } from './population.ts'
import { defaultProfile, loadProfile, ProfileError, profileNames, readProfile } from './profile.ts'

const isNear = (found: number, right: number, share: number): void => assert.ok(Math.abs(found - right) <= share * right, `${found}, not ${right}`)

describe('contacts', () => {
  const profile = { ...defaultProfile, users: 5000, roster: { median: 20, mean: 40, max: 500 } }
  const { graph, userCount } = populationOf(profile, 'pw')
  const degrees = Array.from({ length: userCount }, (_, user) => graph.starts[user + 1]! - graph.starts[user]!).sort((a, b) => a - b)

  it('are mutual, ascending, without oneself and repetitions', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 12 }), fc.array(fc.tuple(fc.nat(11), fc.nat(11))), (users, edges) => {
      const inside = edges.filter(([a, b]) => a < users && b < users)
      const made = mutualGraph(users, inside.map(([a]) => a), inside.map(([, b]) => b))
      const rows = Array.from({ length: users }, (_, user) => [...made.contacts.subarray(made.starts[user], made.starts[user + 1])])
      for (let user = 0; user < users; user++) {
        const right = new Set(inside.flatMap(([a, b]) => (a === b ? [] : a === user ? [b] : b === user ? [a] : [])))
        assert.deepEqual(rows[user], [...right].sort((a, b) => a - b))
      }
    }))
  })

  it('have the median, mean and cap of the profile', () => {
    isNear(degrees[userCount / 2]!, 20, 0.1)
    isNear(graph.contacts.length / userCount, 38, 0.1)
    assert.ok(degrees.at(-1)! <= 500 && degrees.at(-1)! > 200, `${degrees.at(-1)} is a heavy tail`)
  })

  it('make celebrities known to the share that the profile says', () => {
    const famous = populationOf({ ...profile, users: 1000, celebrities: { count: 2, followersShare: 0.8, changesPerHour: 1 } }, 'pw').graph
    for (const star of [0, 1]) isNear(famous.starts[star + 1]! - famous.starts[star]!, 800, 0.06)
  })

  it('repeat from the seed and differ between seeds', () => {
    assert.deepEqual(populationOf(profile, 'pw').graph, graph)
    assert.notDeepEqual(populationOf({ ...profile, seed: 2 }, 'pw').graph.contacts, graph.contacts)
  })

  it('survive the way through an accounts file', () => {
    const population = populationOf({ ...profile, users: 200 }, 'pw')
    const text = [...accountLines(accountsOf(population))].join('')
    const again = populationFrom({ ...profile, users: 200 }, parseAccounts(text))
    assert.deepEqual(again.graph, population.graph)
    assert.deepEqual(again.rosterSizes, population.rosterSizes)
    assert.deepEqual(again.names, population.names)
  })

  it('of a part of the accounts leave out who takes no part, but not from the roster', () => {
    const accounts = parseAccounts('romeo\tpw\tjuliet,mercutio\njuliet\tpw\tromeo\nmercutio\tpw\tromeo\n')
    const { graph: part, rosterSizes } = populationFrom({ ...profile, users: 2 }, accounts)
    assert.deepEqual([...part.contacts], [1, 0])
    assert.deepEqual([...rosterSizes], [2, 1])
    assert.throws(() => populationFrom({ ...profile, users: 4 }, accounts), RangeError)
    assert.throws(() => parseAccounts('romeo\n'), /line 1/)
  })
})

describe('clients', () => {
  it('are 1.2 a user, and rows of pairs hold exactly the clients of contacts and one\'s own', () => {
    const population = populationOf({ ...defaultProfile, users: 3000, roster: { median: 5, mean: 8, max: 50 } }, 'pw')
    isNear(population.clientCount / population.userCount, 1.2, 0.02)
    const pairs = new PairTable(population)
    const { clientStarts, clientUsers, graph } = population
    for (const receiver of [0, 77, population.clientCount - 1]) {
      const user = clientUsers[receiver]!
      const users = [user, ...graph.contacts.subarray(graph.starts[user], graph.starts[user + 1])].sort((a, b) => a - b)
      const clientsOf = (contact: number): number[] =>
        Array.from({ length: clientStarts[contact + 1]! - clientStarts[contact]! }, (_, at) => clientStarts[contact]! + at)
      const right = users.flatMap(clientsOf)
      assert.deepEqual([...pairs.sources.subarray(pairs.starts[receiver], pairs.starts[receiver + 1])], right)
      for (const [at, source] of right.entries()) assert.equal(pairs.find(receiver, source), pairs.starts[receiver]! + at)
      const stranger = clientStarts.findIndex((_, other) => !users.includes(other))
      assert.equal(pairs.find(receiver, clientStarts[stranger]!), -1)
    }
  })
})

describe('behaviour', () => {
  const profile = { ...defaultProfile, users: 20_000, resourcesMean: 1, onlineShare: 0.3, timeFactor: 10, roster: { median: 1, mean: 1, max: 1 } }
  const population = populationOf(profile, 'pw')
  const behaviour = new Behaviour(profile, population)
  const everybody = Array.from({ length: population.clientCount }, (_, client) => client)
  const meanOf = (draw: (client: number) => number): number => everybody.reduce((sum, client) => sum + draw(client), 0) / everybody.length

  it('begins with the share online that the profile says, and keeps it: mean session and mean pause agree', () => {
    isNear(meanOf((client) => behaviour.isOnlineAtStart[client]!), 0.3, 0.03)
    const session = meanOf((client) => behaviour.sessionSeconds(client))
    const pause = meanOf((client) => behaviour.offlineSeconds(client))
    isNear(session, powerLawMean(1.77, 60, 43_200) / 10, 0.05)
    isNear(session / (session + pause), 0.3, 0.05)
  })

  it('meets long sessions more often: what is left of one under way is longer than half a session', () => {
    const left = meanOf((client) => behaviour.remainingSeconds(client))
    // Half the mean of the length-biased law, whose exponent is one less.
    isNear(left, powerLawMean(0.77, 60, 43_200) / 20, 0.05)
  })

  it('changes state 4-12 and writes 2-8 times an hour of life', () => {
    const perHour = (draw: (client: number) => number): number => 3600 / profile.timeFactor / meanOf(draw)
    // The mean of exponential waits with rates spread over [a, b] is ln(b / a) / (b - a).
    isNear(perHour((client) => behaviour.untilChange(client)), 8 / Math.log(3), 0.04)
    isNear(perHour((client) => behaviour.untilMessage(client)), 6 / Math.log(4), 0.04)
  })

  it('writes bodies around 100 bytes, never beyond the limit', () => {
    const sizes = everybody.map((client) => behaviour.bodyBytes(client)).sort((a, b) => a - b)
    isNear(sizes[sizes.length / 2]!, 100, 0.05)
    assert.ok(sizes[0]! >= 1 && sizes.at(-1)! <= 4000)
  })

  it('never ends sessions of a profile in which everybody is online', () => {
    const steady = new Behaviour({ ...profile, users: 10, onlineShare: 1 }, populationOf({ ...profile, users: 10 }, 'pw'))
    assert.equal(steady.sessionSeconds(0), Infinity)
    assert.equal(steady.remainingSeconds(0), Infinity)
  })

  it('repeats from the seed, client by client', () => {
    const again = new Behaviour(profile, population)
    const first = new Behaviour(profile, population)
    assert.deepEqual([again.untilChange(3), again.untilChange(3), again.bodyBytes(9)], [first.untilChange(3), first.untilChange(3), first.bodyBytes(9)])
    assert.deepEqual(loginOrder(profile, again.isOnlineAtStart), loginOrder(profile, first.isOnlineAtStart))
  })
})

describe('agenda', () => {
  it('gives entries back in order of time, then key, whatever was added between', () => {
    const operation = fc.oneof(fc.tuple(fc.nat(50), fc.nat(50)), fc.constant('shift' as const))
    fc.assert(fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
      const agenda = new Agenda(2)
      const model: (readonly [number, number])[] = []
      for (const step of operations) {
        if (step !== 'shift') {
          agenda.add(step[0], step[1])
          model.push(step)
          model.sort((a, b) => a[0] - b[0] || a[1] - b[1])
        } else if (model.length > 0) {
          assert.deepEqual([agenda.nextTime, agenda.nextKey], model.shift())
          agenda.shift()
        }
        assert.equal(agenda.size, model.length)
        assert.equal(agenda.nextTime, model[0]?.[0] ?? Infinity)
      }
    }))
  })
})

describe('profiles', () => {
  it('in the box are all readable, described and named like their files', () => {
    assert.deepEqual(profileNames(), ['celebrity', 'flapping', 'login-storm', 'mixed', 'presence-storm', 'slow-readers', 'steady'])
    for (const name of profileNames()) {
      assert.equal(loadProfile(name).name, name)
      assert.ok(loadProfile(name).description.length > 20)
    }
  })

  it('take every field left out from the defaults', () => {
    assert.deepEqual(readProfile({}, 'p.yaml'), defaultProfile)
    assert.deepEqual(readProfile({ storms: [{ atSeconds: 3 }] }, 'p.yaml').storms, [{ atSeconds: 3, share: 1, overSeconds: 5 }])
  })

  it('say which field of which file is wrong', () => {
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [{ usrs: 5 }, /p\.yaml: usrs is unknown; there are name,/],
      [{ users: 1 }, /users must be a number from 2/],
      [{ users: '5' }, /users must be a number/],
      [{ roster: { median: -1 } }, /roster\.median must be/],
      [{ roster: 5 }, /roster must be a mapping/],
      [{ changesPerHour: [5] }, /changesPerHour must be two numbers/],
      [{ changesPerHour: [5, 4] }, /changesPerHour must start with the smaller/],
      [{ flapping: { how: 'sometimes' } }, /flapping\.how must be one of toggle/],
      [{ storms: {} }, /storms must be a list/],
      [{ storms: [{ share: 2 }] }, /storms\.share must be a number from 0 to 1/],
      [{ session: { minMinutes: 120, maxHours: 2 } }, /minMinutes must be below/],
      [{ description: 5 }, /description must be text/],
      ['steady', /the profile must be a mapping/],
    ]
    for (const [value, message] of wrong) {
      assert.throws(() => readProfile(value, 'p.yaml'), (error) => error instanceof ProfileError && message.test(error.message))
    }
    assert.throws(() => loadProfile('unsteady'), /no profile unsteady; there are celebrity/)
    assert.throws(() => loadProfile('./absent.yaml'), ProfileError)
  })
})
