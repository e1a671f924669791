/**
 * Messages that a member of the server which died may have written: they come again, and are found by their stamps.
 *
 * The random half of an entry's id is taken from the message's stamp, where it has one. So nothing is kept beside the log,
 * and a look at the end of it says whether the message is there.
 */
import type { KeptMessages } from '@rollcall/module-api'
import type { Clock } from '@rollcall/ports'
import type { LogStores } from './account-log.ts'
import { isStampedWith } from './stanza-ids.ts'

/** What was under way when a member died is not older, and not more. */
const AGE_MS_MAX = 10 * 60_000
const ENTRIES_MAX = 1000

export function keptMessages({ messages, waiting }: Pick<LogStores, 'messages' | 'waiting'>, clock: Clock): KeptMessages {
  return {
    async isKept(account, stamp) {
      const owner = account.toString()
      const latest = { start: clock.now() - AGE_MS_MAX, limit: ENTRIES_MAX, isBackward: true }
      for (const store of [messages, waiting]) {
        const { entries } = await store.query(owner, latest)
        if (entries.some(({ id }) => isStampedWith(id, stamp))) return true
      }
      return false
    },
  }
}
