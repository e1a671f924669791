/** Keeps messages for people who are away and gives them out when they come back (RFC 6121 §8.5.2.2, XEP-0160). */
import { archiveStore, defineModule, messageUndelivered, option, priorityChanged, resourceAvailable } from '@rollcall/module-api'
import { Clock, Log, Metrics, Random } from '@rollcall/ports'
import { Blocking } from '../blocking/port.ts'
import { OfflineService } from './offline-service.ts'
import { AccountQueue } from './queue.ts'
import type { StoredMessage } from './queue.ts'

const DAY_MS = 86_400_000

export default defineModule({
  name: 'offline',
  summary: 'Keeps messages for people who are away.',
  implements: [
    { xep: 160, version: '1.0.1', status: 'complete' },
    { xep: 334, version: '1.0.0', status: 'partial', note: 'the hints on storing; those on copies are of the carbons, permanent stores are not there yet' },
  ],
  features: { host: ['msgoffline'] },
  config: {
    messagesMax: option.integer(1000, 1, 100_000, 'Messages kept for one account; further ones are refused.'),
    bytesMax: option.integer(4_194_304, 1024, 1_073_741_824, 'Bytes of all messages kept for one account; what exceeds them is refused.'),
    expiryDays: option.integer(0, 0, 36_500, 'Days after which a message that was never fetched is forgotten; 0 = never.'),
  },
  stores: { messages: archiveStore<StoredMessage>('offline_messages') },
  needs: { clock: Clock, random: Random, log: Log, metrics: Metrics },
  wants: { blocking: Blocking },
  setup({ config, stores: { messages }, ports, accountSlot, on }) {
    const slot = accountSlot<AccountQueue>({
      slotName: 'offline',
      version: 1,
      load: (account) => AccountQueue.load(messages, account, service.expiredUntil),
    })
    const service = new OfflineService({
      ...ports, store: messages, limits: config, expiryMs: config.expiryDays * DAY_MS, queueOf: (account) => account.get(slot),
    })
    on(messageUndelivered, 'normal', ({ account, stanza }) => service.take(account, stanza))
    on(resourceAvailable, 'early', ({ session }) => {
      if (session.priority >= 0) service.deliverTo(session)
    })
    on(priorityChanged, 'early', ({ session, before }) => {
      if (before < 0 && session.priority >= 0) service.deliverTo(session)
    })
  },
})
