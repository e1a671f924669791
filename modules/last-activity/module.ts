/**
 * Answers "when was this account last connected?" and "how long has this host been up?".
 *
 * What is recorded is the end of the last session, with the status text of its last unavailable presence. Who may not see
 * the presence gets `forbidden` from the account (XEP-0012 §3). At a full JID the same asker gets what RFC 6121 §8.5.3.2.3
 * says for a resource that is not there: `forbidden` would differ from the answer for accounts without any session, and so
 * tell who is connected, which XEP-0012 §8 puts above all.
 */
import { accountCreated, defineModule, inbound, keyvalStore, resourceUnavailable, ServerInfo, sessionUnbound } from '@rollcall/module-api'
import type { InboundStanza, Session, SessionSlot } from '@rollcall/module-api'
import { Clock, Log } from '@rollcall/ports'
import { LastQuery, NS_LAST } from '@rollcall/protocol'
import { NS_CLIENT, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { Roster } from '../roster/port.ts'
import { LastActivity } from './port.ts'
import type { LastSeen } from './port.ts'
import { Recorder } from './recorder.ts'

/** A status is a line for people; what is longer is cut. */
const STATUS_CHARACTERS_MAX = 1024

export default defineModule({
  name: 'last-activity',
  summary: 'Tells when an account was last connected and how long the server has been up.',
  implements: [{
    xep: 12, version: '2.0', status: 'complete',
    note: 'a full JID answers who may not see the presence with service-unavailable, because forbidden would tell that somebody is connected',
  }],
  features: { host: [NS_LAST], account: [NS_LAST] },
  stores: { lastSeen: keyvalStore<LastSeen>('last_activity') },
  needs: { clock: Clock, log: Log, server: ServerInfo, roster: Roster },
  provides: [LastActivity],
  setup({ stores: { lastSeen }, ports: { clock, log, server, roster }, provide, sessionSlot, on, onIqGet, onStop }) {
    const status = sessionSlot(statusSlot)
    const recorder = new Recorder(lastSeen, log)
    provide(LastActivity, { lastSeen: (account) => lastSeen.get(account.bare.toString()) })
    onStop(() => recorder.settled())

    on(accountCreated, 'normal', ({ jid }) => recorder.write(jid, { at: clock.now() }))
    on(resourceUnavailable, 'normal', ({ session, presence }) => {
      if (isConnected(session)) session.set(status, statusOf(presence))
    })
    on(sessionUnbound, 'normal', ({ session }) => {
      if (session.account.sessions.size > 0) return
      const text = session.presence === undefined ? session.get(status) : undefined
      recorder.write(session.account.jid, { at: clock.now(), ...(text !== undefined && { status: text }) })
    })
    on(inbound, 'normal', (event) => guardFullJid(roster, event), { kinds: ['iq'] })

    onIqGet(LastQuery, 'host', () => LastQuery.encode({ seconds: secondsSince(clock, server.startedAt) }))
    onIqGet(LastQuery, 'account', async ({ account, from }) => {
      // Checked before anything is read: any other answer would leak.
      if (!(await roster.maySeePresence(account.jid, from.bare))) throw new StanzaError('forbidden')
      if (account.sessions.size > 0) return LastQuery.encode({ seconds: 0 })
      const seen = await lastSeen.get(account.jid.toString())
      if (seen === undefined) throw new StanzaError('item-not-found')
      return LastQuery.encode({ seconds: secondsSince(clock, seen.at), ...(seen.status !== undefined && { status: seen.status }) })
    })
  },
})

/** The status with which a connected resource went unavailable. */
const statusSlot: SessionSlot<string> = {
  slotName: 'last-activity-status',
  version: 1,
  exportState: (text) => text,
  importState: (json) => (typeof json === 'string' ? json : ''),
}

/** XEP-0012 §4: a question to a resource reaches it only from those who may see its presence. To others it is not there. */
function guardFullJid(roster: Roster, { account, stanza }: InboundStanza): void {
  const isQuestion = stanza.type === 'get' && stanza.to?.isFull === true && stanza.has('query', NS_LAST)
  if (!isQuestion || stanza.from === undefined) return
  if (roster.maySeePresence(account.jid, stanza.from.bare) !== true) throw new StanzaError('service-unavailable')
}

function isConnected(session: Session): boolean {
  return session.account.sessions.get(session.jid.resourcepart) === session
}

function statusOf(presence: Stanza): string | undefined {
  const child = presence.find('status', NS_CLIENT)
  return child === undefined ? undefined : presence.element(child).text().slice(0, STATUS_CHARACTERS_MAX).toWellFormed()
}

/** Whole seconds; the wall clock may have been set back in between. */
function secondsSince(clock: Clock, at: number): number {
  return Math.max(0, Math.floor((clock.now() - at) / 1_000))
}
