/**
 * In-band registration (XEP-0077): new accounts before login, which is off unless the operator opens it, and changes of
 * the own account after it: password and removal.
 */
import { AccountAdmin, accountCreated, accountRemoving, Accounts, defineModule, mapStore, option } from '@rollcall/module-api'
import type { Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { Clock, Log, Metrics } from '@rollcall/ports'
import { NS_REGISTER, RegisterFeature, RegisterQuery } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import { LookAlikes } from './look-alikes.ts'
import { RegistrationRate } from './rate-limit.ts'
import { RegistrationService } from './registration-service.ts'

const RESERVED = [
  'abuse', 'admin', 'administrator', 'help', 'hostmaster', 'info', 'jabber', 'noreply', 'operator', 'postmaster', 'root', 'security',
  'server', 'service', 'staff', 'support', 'system', 'webmaster', 'xmpp',
]
const MINUTE_MS = 60_000

export default defineModule({
  name: 'registration',
  summary: 'Lets people make accounts, change their passwords and remove their accounts with their client.',
  implements: [{ xep: 77, version: '2.4', status: 'partial', note: 'without the HTTP-style error codes of XEP-0086, which is deprecated' }],
  features: { host: [NS_REGISTER] },
  costly: [NS_REGISTER],
  config: {
    isOpen: option.boolean(false, 'Anybody may make an account.'),
    instructions: option.string('Choose a name and a password.', 'What people read above the registration form.'),
    redirectUrl: option.string('', 'Web page that clients are sent to when registration is not open; empty for none.'),
    attemptsPerAddressMax: option.integer(5, 1, 1_000_000, 'Registrations, tried or done, of one IPv4 address or IPv6 /64 network in a window.'),
    accountsMax: option.integer(500, 1, 1_000_000, 'Accounts made by registration in a window.'),
    windowMinutes: option.integer(60, 1, 10_080, 'Length of that window, in minutes.'),
    areLookAlikesRefused: option.boolean(true, 'Refuses names that mix scripts, or that look like those of accounts made here.'),
    reservedLocalparts: option.strings(RESERVED, 'Names that nobody can register.'),
    isPasswordChangeAllowed: option.boolean(true, 'People may change their password.'),
    isRemovalAllowed: option.boolean(true, 'People may remove their account.'),
  },
  stores: { lookAlikes: mapStore<readonly string[]>('registration_look_alikes') },
  needs: { admin: AccountAdmin, accounts: Accounts, clock: Clock, log: Log, metrics: Metrics },
  setup({ config, stores, ports, on, onPreAuthIq, onIqGet, onIqSet, onStop, streamFeature }) {
    const { accounts, admin, clock, log, metrics } = ports
    const lookAlikes = new LookAlikes(stores.lookAlikes, log, (jid) => accounts.exists(jid))
    const rate = new RegistrationRate(clock, { ...config, windowMs: config.windowMinutes * MINUTE_MS })
    const service = new RegistrationService({ admin, log, metrics, rate, lookAlikes, options: config })

    /** The session that asks its own host. Throws what another entity is told. */
    const sessionAt = (from: Jid, to: Jid, payload: RegisterQuery): Session => {
      const session = from.domainpart === to.domainpart ? accounts.warm(from)?.sessions.get(from.resourcepart) : undefined
      if (session === undefined) throw new StanzaError(payload.remove ? 'registration-required' : 'service-unavailable')
      return session
    }

    const feature = config.isOpen || config.redirectUrl !== '' ? RegisterFeature.toWire({}) : ''
    streamFeature('before-auth', () => feature)
    onPreAuthIq('get', RegisterQuery, () => service.fields())
    onPreAuthIq('set', RegisterQuery, (request) => service.register(request))
    onIqGet(RegisterQuery, 'self', ({ session }) => service.registration(session))
    onIqSet(RegisterQuery, 'self', (request) => service.change(request))
    onIqGet(RegisterQuery, 'host', ({ from, to, payload }) => service.registration(sessionAt(from, to, payload)))
    onIqSet(RegisterQuery, 'host', ({ from, to, payload, stanza }) =>
      service.change({ payload, stanza, session: sessionAt(from, to, payload) }))
    on(accountCreated, 'normal', ({ jid }) => lookAlikes.add(jid))
    on(accountRemoving, 'normal', ({ account }) => lookAlikes.remove(account.jid))
    onStop(() => lookAlikes.settled())
  },
})
