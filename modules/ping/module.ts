/** Answers pings to hosts, and to accounts from those who may know that the account is there. */
import { defineModule } from '@rollcall/module-api'
import { NS_PING, Ping } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import { Roster } from '../roster/port.ts'

export default defineModule({
  name: 'ping',
  summary: 'Answers pings to hosts and accounts.',
  implements: [{ xep: 199, version: '2.0.1', status: 'complete' }],
  features: { host: [NS_PING], account: [NS_PING] },
  needs: { roster: Roster },
  setup({ ports: { roster }, onIqGet }) {
    onIqGet(Ping, 'host', () => undefined)
    onIqGet(Ping, 'account', async ({ account, from }) => {
      // A pong to a stranger would say that the account exists: XEP-0199 §7.
      if (!(await roster.maySeePresence(account.jid, from.bare))) throw new StanzaError('service-unavailable')
    })
  },
})
