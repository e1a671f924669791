/**
 * What is rehearsed: what users do first after a start, by a cast of visitors who know each other.
 */
import type { SaslCrypto } from '@rollcall/stream'
import type { Pace } from './pace.ts'
import { Visitor } from './visitor.ts'
import type { Guest } from './visitor.ts'

/** Messages that are written in one go, as by somebody who pastes. */
const MESSAGES = 5
const STATES = ['<show>away</show><status>Rehearsing</status>', '<status>Rehearsing still</status>', '']

export interface Play {
  readonly guests: readonly Guest[]
  readonly crypto: SaslCrypto
  readonly pace: Pace
  /** Called after each login. */
  readonly onLogin: () => void
}

/** All acts against the server behind `port`; rejects with `Interrupted`. Nobody is left there either way. */
export async function perform({ crypto, guests, onLogin, pace }: Play, port: number): Promise<void> {
  const visitors: Visitor[] = []
  const enter = async (guest: Guest, i: number) => {
    const visitor = new Visitor(port, guest, crypto)
    visitors[i] = visitor
    await visitor.login()
    onLogin()
  }
  try {
    await pace.each(guests.entries(), ([i, guest]) => enter(guest, i))
    for (const state of STATES) await pace.each(visitors, (visitor) => visitor.show(state))
    await pace.each(pairsOf(visitors), ([one, other]) => talk(one, other))
    await pace.each(visitors, (visitor) => visitor.flap())
    // Some lose their connection, some leave; they come back.
    await pace.each(guests.entries(), async ([i, guest]) => {
      if (i % 2 !== 0) return
      const visitor = visitors[i] as Visitor
      if (i % 4 === 0) visitor.vanish()
      else await visitor.leave()
      await enter(guest, i)
    })
    await pace.each(visitors, (visitor) => visitor.leave())
  } finally {
    await clear(visitors, pace)
  }
}

/** One at a time, for each is missed by all others; at once when the process is to end. */
async function clear(visitors: readonly (Visitor | undefined)[], pace: Pace): Promise<void> {
  for (const visitor of visitors) {
    visitor?.vanish()
    if (!pace.isStopped) await pace.rest()
  }
}

/** Both write, and the other waits for the last that is written to it. */
async function talk(one: Visitor, other: Visitor): Promise<void> {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    const heard = to.hear(`id='m${MESSAGES}'`)
    for (let i = 1; i <= MESSAGES; i++) from.send(`<message to='${to.address}' type='chat' id='m${i}'><body>Who's there?</body></message>`)
    await heard
  }
}

/** Each with the next. */
function pairsOf<T>(all: readonly T[]): [T, T][] {
  return Array.from({ length: Math.floor(all.length / 2) }, (_, i) => [all[2 * i] as T, all[2 * i + 1] as T])
}
