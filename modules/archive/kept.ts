/**
 * Messages that a member of the server which died may have written: they come again, and are found by their stamps.
 *
 * The random half of an entry's id is taken from the message's stamp, where it has one. So nothing is kept beside the log,
 * and a look at the end of it says whether the message is there. Who comes back after a death sends many again: what was read
 * of an account's log is remembered for a while, together with what is written to it here.
 */
import type { Account, Accounts, KeptMessages } from '@rollcall/module-api'
import type { Clock } from '@rollcall/ports'
import type { AccountLog, LogStores } from './account-log.ts'
import { LatestIds } from './latest-ids.ts'
import { randomHalfFrom, randomHalfOf } from './stanza-ids.ts'

/** What was under way when a member died is not older, and not more. */
const AGE_MS_MAX = 10 * 60_000
const ENTRIES_MAX = 1000
/** Until everybody has read what it had written. */
const NEWS_MS = 2_000
/** How long it is remembered. */
const MEMORY_MS = 60_000

type KeptStores = Pick<LogStores, 'messages' | 'waiting'>

export function keptMessages(
  stores: KeptStores, clock: Clock, accounts: Pick<Accounts, 'use'>, logOf: (account: Account) => AccountLog,
): KeptMessages {
  return {
    async isKept(jid, stamp, deaths) {
      if (stamp === '' || deaths.length === 0) return false
      // Warm, since only who has the account writes to its log.
      return (await accounts.use(jid, (account) => latestOf(logOf(account), stores, clock, deaths).has(randomHalfFrom(stamp)))) === true
    },
  }
}

function latestOf(log: AccountLog, stores: KeptStores, clock: Clock, deaths: readonly number[]): LatestIds {
  if (log.latestIds?.deaths !== deaths || clock.monotonic() > log.latestIds.untilMs) {
    const ids = read(stores, log, deaths)
    log.latestIds = new LatestIds(ids, deaths, clock.monotonic() + MEMORY_MS)
    ids.catch(() => { log.latestIds = undefined })
  }
  return log.latestIds
}

async function read({ messages, waiting }: KeptStores, { owner, written }: AccountLog, deaths: readonly number[]): Promise<Set<string>> {
  // What was given to storage before may not be there yet; what is from now on is noted.
  await written?.catch(() => {})
  const pages = await Promise.all(deaths.flatMap((death) => {
    const before = { start: death - AGE_MS_MAX, end: death + NEWS_MS, limit: ENTRIES_MAX, isBackward: true }
    return [messages.query(owner, before), waiting.query(owner, before)]
  }))
  return new Set(pages.flatMap(({ entries }) => entries.map(({ id }) => randomHalfOf(id))))
}
