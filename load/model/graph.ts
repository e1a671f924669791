/**
 * The contact graph: who has whom in the roster, always mutual.
 *
 * Degrees are drawn first, then each user puts as many stubs as its degree into one array, the array is shuffled and read
 * in pairs (the configuration model). Loops and repeated pairs are dropped, which costs a heavy tail a few contacts and
 * keeps everything linear. Rows are compressed: `contacts[starts[user] .. starts[user + 1])`, ascending.
 */
import { logNormalSigma } from './draws.ts'
import type { Draws } from './draws.ts'

/** Rows of contacts, ascending within a row. */
export interface Graph {
  readonly starts: Uint32Array
  readonly contacts: Uint32Array
}

export interface DegreeLaw {
  readonly median: number
  readonly mean: number
  readonly max: number
}

/** A random mutual graph of `users` whose degrees follow `law`; the first `celebrities` also know `followersShare` of all. */
export function randomGraph(
  draws: Draws, users: number, law: DegreeLaw, celebrities: { readonly count: number; readonly followersShare: number },
): Graph {
  const stubs = shuffled(draws, stubsOf(draws, users, law))
  const from: number[] = []
  const to: number[] = []
  for (let at = 0; at + 1 < stubs.length; at += 2) {
    from.push(stubs[at]!)
    to.push(stubs[at + 1]!)
  }
  const famous = Math.min(celebrities.count, users)
  for (let star = 0; star < famous; star++) {
    for (let user = 0; user < users; user++) {
      if (!draws.isChosen(celebrities.followersShare)) continue
      from.push(star)
      to.push(user)
    }
  }
  return mutualGraph(users, from, to)
}

function stubsOf(draws: Draws, users: number, { median, mean, max }: DegreeLaw): Uint32Array {
  const sigma = logNormalSigma(median, mean)
  const most = Math.min(max, users - 1)
  const degrees = new Uint32Array(users)
  let total = 0
  for (let user = 0; user < users; user++) {
    degrees[user] = Math.min(most, Math.round(draws.logNormal(median, sigma)))
    total += degrees[user]!
  }
  const stubs = new Uint32Array(total)
  let at = 0
  for (let user = 0; user < users; user++) {
    stubs.fill(user, at, at + degrees[user]!)
    at += degrees[user]!
  }
  return stubs
}

function shuffled(draws: Draws, values: Uint32Array): Uint32Array {
  for (let at = values.length - 1; at > 0; at--) {
    const other = draws.below(at + 1)
    const value = values[at]!
    values[at] = values[other]!
    values[other] = value
  }
  return values
}

/** The graph with the edges `from[i] - to[i]` in both directions, without loops and repetitions. */
export function mutualGraph(users: number, from: readonly number[], to: readonly number[]): Graph {
  const counts = new Uint32Array(users + 1)
  for (let edge = 0; edge < from.length; edge++) {
    if (from[edge] === to[edge]) continue
    counts[from[edge]! + 1]!++
    counts[to[edge]! + 1]!++
  }
  for (let user = 0; user < users; user++) counts[user + 1]! += counts[user]!
  const rows = new Uint32Array(counts[users]!)
  const next = counts.slice()
  for (let edge = 0; edge < from.length; edge++) {
    const a = from[edge]!
    const b = to[edge]!
    if (a === b) continue
    rows[next[a]!++] = b
    rows[next[b]!++] = a
  }
  return withoutRepetitions(users, counts, rows)
}

function withoutRepetitions(users: number, bounds: Uint32Array, rows: Uint32Array): Graph {
  const starts = new Uint32Array(users + 1)
  let kept = 0
  for (let user = 0; user < users; user++) {
    const row = rows.subarray(bounds[user], bounds[user + 1]).sort()
    for (let at = 0; at < row.length; at++) {
      if (at > 0 && row[at] === row[at - 1]) continue
      rows[kept++] = row[at]!
    }
    starts[user + 1] = kept
  }
  return { starts, contacts: rows.slice(0, kept) }
}
