/**
 * Push notifications (XEP-0357): wakes clients that are away, by way of the push services that they named.
 *
 * Nothing of a message leaves the server unless the operator says so (`content`): a notification says that there is
 * something, and the client comes and gets it.
 */
import {
  accountRemoving, Accounts, defineModule, inbound, dropped, IqClient, mapStore, messageAcked, messageDelivered, option, sessionBound,
  sessionDetached, sessionResumed, sessionUnbound, storedIn,
} from '@rollcall/module-api'
import { Clock, Log, Metrics, Random } from '@rollcall/ports'
import { NS_PUSH, PushDisable, PushEnable } from '@rollcall/protocol'
import { Roster } from '../roster/port.ts'
import { Notifier } from './notifier.ts'
import { PushService } from './push-service.ts'
import { Reach, reachSlot } from './reach.ts'
import { Registrations } from './registrations.ts'
import type { RegistrationRow } from './registrations.ts'

/** What a person reads on a locked screen; longer bodies are cut. */
const EXCERPT_CHARACTERS_MAX = 200

const registrationStore = mapStore<RegistrationRow>('push_registrations')

export default defineModule({
  name: 'push',
  summary: 'Wakes clients that are away, through the push services that they named.',
  implements: [{ xep: 357, version: '0.4.1', status: 'complete' }],
  features: { account: [NS_PUSH] },
  config: {
    content: option.choice('none', ['none', 'sender', 'message'], 'What push services are told of the last message: nothing, its sender, or its text too.'),
    registrationsMax: option.integer(20, 1, 1000, 'Push services, by node, that the clients of one account may enable.'),
    optionBytesMax: option.integer(4096, 256, 65_536, 'Bytes of one registration, with what is to be sent along.'),
    coalesceMs: option.integer(1000, 0, 60_000, 'How long further messages are waited for before a notification, in ms; a call does not wait.'),
    pauseSeconds: option.integer(10, 0, 3600, 'Least time between two notifications of one client, in seconds; a call does not wait.'),
    timeoutSeconds: option.integer(30, 1, 300, 'How long a push service has to answer, in seconds.'),
    failuresMax: option.integer(30, 1, 1000, 'Failures in a row after which a push service is given up; they come ever more rarely, thirty take a day.'),
  },
  stores: { registrations: registrationStore },
  needs: { accounts: Accounts, clock: Clock, iqClient: IqClient, log: Log, metrics: Metrics, random: Random },
  wants: { roster: Roster },
  setup({ config, stores, ports, accountSlot, sessionSlot, on, onIqSet, onStop }) {
    const { clock, roster } = ports
    const slot = accountSlot<Registrations>({
      slotName: 'push',
      version: 1,
      ...storedIn(registrationStore, (rows) => Registrations.fromRows(rows)),
      exportState: (registrations) => registrations.rows,
      importState: (json) => new Registrations(json as unknown as readonly RegistrationRow[]),
    })
    const { coalesceMs, failuresMax } = config
    const notifier = new Notifier({
      ...ports,
      options: { coalesceMs, failuresMax, pauseMs: config.pauseSeconds * 1000, timeoutMs: config.timeoutSeconds * 1000 },
      giveUp: (account, registration) => service.giveUp(account, registration),
    })
    const service = new PushService({
      ...ports, notifier, reach: new Reach(sessionSlot(reachSlot)), store: stores.registrations, limits: config, content: config.content,
      registrationsOf: (account) => account.get(slot), now: () => clock.now(), excerptCharactersMax: EXCERPT_CHARACTERS_MAX,
    })

    onIqSet(PushEnable, 'self', ({ account, session, payload }) => service.enable(account, session, payload))
    onIqSet(PushDisable, 'self', ({ account, payload }) => service.disable(account, payload))
    on(inbound, 'late', ({ account, stanza }) => (service.isRevocation(account, stanza) ? dropped : undefined), { kinds: ['message'] })
    on(inbound, 'late', ({ account, stanza }) => {
      const { from } = stanza
      if (stanza.type !== 'subscribe' || from === undefined || account.get(slot).size === 0) return
      // After the roster has seen it: it may have been answered at once, or ignored.
      clock.soon(() => {
        if (roster?.item(account, from.bare)?.isPendingIn === true) service.asked(account, from)
      })
    }, { kinds: ['presence'], concerns: (account, stanza) => stanza.type === 'subscribe' && account.get(slot).size > 0 })
    on(messageDelivered, 'normal', ({ account, stanza, recipients }) => service.delivered(account, stanza, recipients))
    on(messageAcked, 'normal', ({ session, stanza }) => service.confirmed(session, stanza))
    on(sessionBound, 'normal', ({ session }) => service.isBack(session))
    on(sessionResumed, 'normal', ({ session }) => service.isBack(session))
    on(sessionDetached, 'normal', ({ session }) => service.lost(session))
    on(sessionUnbound, 'normal', ({ session, reason }) => {
      if (reason === 'closed' || reason === 'lost') service.lost(session)
    })
    on(accountRemoving, 'normal', ({ account }) => service.removing(account))
    onStop(() => notifier.stop())
  },
})
