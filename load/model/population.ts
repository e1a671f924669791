/**
 * The people of a run: accounts, their contacts, and their clients. A *client* is one full JID; the clients of a user are
 * neighbours in number, so that rows of contacts become rows of clients in order.
 */
import type { Account } from './accounts.ts'
import { Draws } from './draws.ts'
import { mutualGraph, randomGraph } from './graph.ts'
import type { Graph } from './graph.ts'
import type { Profile } from './profile.ts'

/** Streams of a run's seed that do not belong to a client; clients use their own number. */
export const STREAMS = { graph: 0xffff_0001, resources: 0xffff_0002, roles: 0xffff_0003, ramp: 0xffff_0004 } as const

/** Extra beyond the mean that becomes a third client, not a second. */
const THIRD_SHARE = 0.05

export interface Population {
  readonly userCount: number
  /** Localparts. */
  readonly names: readonly string[]
  readonly passwords: readonly string[]
  /** Contacts among the users of this run. */
  readonly graph: Graph
  /** Items that each user's roster must have: with contacts who take no part. */
  readonly rosterSizes: Uint32Array
  /** Clients of `user` are `clientStarts[user] .. clientStarts[user + 1]`. */
  readonly clientStarts: Uint32Array
  readonly clientUsers: Uint32Array
  readonly clientCount: number
}

/** Localpart of generated users. */
export function generatedName(user: number): string {
  return `load${user}`
}

/** The people of a profile: `password` is everybody's. */
export function populationOf(profile: Profile, password: string): Population {
  const graph = randomGraph(new Draws(profile.seed, STREAMS.graph), profile.users, profile.roster, profile.celebrities)
  const names = Array.from({ length: profile.users }, (_, user) => generatedName(user))
  const sizes = new Uint32Array(profile.users)
  for (let user = 0; user < profile.users; user++) sizes[user] = graph.starts[user + 1]! - graph.starts[user]!
  return withClients(profile, { names, passwords: names.map(() => password), graph, rosterSizes: sizes })
}

/** The first `profile.users` of accounts that exist, with the rosters that they have. Throws RangeError when there are too few. */
export function populationFrom(profile: Profile, accounts: readonly Account[]): Population {
  if (accounts.length < profile.users) {
    throw new RangeError(`the profile needs ${profile.users} users, the accounts that fit are ${accounts.length}`)
  }
  const chosen = accounts.slice(0, profile.users)
  const numbers = new Map(chosen.map(({ name }, user) => [name, user]))
  const from: number[] = []
  const to: number[] = []
  for (const [user, { contacts }] of chosen.entries()) {
    for (const contact of contacts) {
      const other = numbers.get(contact)
      if (other === undefined) continue
      from.push(user)
      to.push(other)
    }
  }
  return withClients(profile, {
    names: chosen.map(({ name }) => name),
    passwords: chosen.map(({ password }) => password),
    graph: mutualGraph(chosen.length, from, to),
    rosterSizes: Uint32Array.from(chosen, ({ contacts }) => contacts.length),
  })
}

/** The accounts that a population needs. */
export function accountsOf({ names, passwords, graph }: Population): Account[] {
  return names.map((name, user) => {
    const row = graph.contacts.subarray(graph.starts[user], graph.starts[user + 1])
    return { name, password: passwords[user]!, contacts: Array.from(row, (contact) => names[contact]!) }
  })
}

function withClients(
  profile: Profile, people: Pick<Population, 'names' | 'passwords' | 'graph' | 'rosterSizes'>,
): Population {
  const draws = new Draws(profile.seed, STREAMS.resources)
  const userCount = people.names.length
  const clientStarts = new Uint32Array(userCount + 1)
  const owners: number[] = []
  for (let user = 0; user < userCount; user++) {
    const count = clientCountOf(draws, profile.resourcesMean)
    for (let client = 0; client < count; client++) owners.push(user)
    clientStarts[user + 1] = owners.length
  }
  return { ...people, userCount, clientStarts, clientUsers: Uint32Array.from(owners), clientCount: owners.length }
}

/** One client, sometimes a second, rarely a third, with the given mean. */
function clientCountOf(draws: Draws, mean: number): number {
  const extra = mean - 1
  const third = extra > 1 ? extra - 1 : extra * THIRD_SHARE
  const second = extra - third
  const drawn = draws.fraction()
  return drawn < third ? 3 : drawn < Math.min(second, 1) ? 2 : 1
}
