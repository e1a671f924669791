/**
 * Message carbons (XEP-0280): every client of an account that asks for it sees both sides of all conversations.
 *
 * Copies are written straight to sessions, not routed: they cannot be stored, filtered or answered, and an error about
 * one goes nowhere. Who has a copy of what was received has the message: it is not delivered again while that session
 * lives, or once it acknowledged the copy. A message that an account sends to itself is copied once, as received: each client sees it once.
 */
import { defineModule, messageDelivered, messageSent } from '@rollcall/module-api'
import type { Account, Session } from '@rollcall/module-api'
import { CarbonsDisable, CarbonsEnable, NS_CARBONS, NS_FORWARD } from '@rollcall/protocol'
import { NS_CLIENT, stanzaFromFrame } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { escapeAttribute, scanFragment } from '@rollcall/xml'
import { CopiedMessages } from './answered.ts'
import { isEligible } from './eligible.ts'
import { Carbons } from './port.ts'
import type { Direction } from './port.ts'

type SendCopy = (session: Session, wire: string) => void

export default defineModule({
  name: 'carbons',
  summary: 'Shows every client of an account what the others send and receive.',
  implements: [
    { xep: 280, version: '1.0.1', status: 'complete', note: 'with the rules of urn:xmpp:carbons:rules:0' },
    { xep: 297, version: '1.0', status: 'partial', note: 'the format, as carbons use it' },
  ],
  features: { host: [NS_CARBONS, 'urn:xmpp:carbons:rules:0'], account: [NS_CARBONS, 'urn:xmpp:carbons:rules:0'] },
  provides: [Carbons],
  setup({ accountSlot, sessionSlot, on, onBindInline, onIqSet, provide }) {
    const enabled = sessionSlot<true>({ slotName: 'carbons', version: 1, exportState: () => true, importState: () => true })
    const copied = accountSlot<CopiedMessages>({
      slotName: 'carbons-copied', version: 1, load: () => new CopiedMessages(),
    })

    const copy = (account: Account, message: Stanza, direction: Direction, isLeftOut: (session: Session) => boolean, send: SendCopy) => {
      const listeners = [...account.sessions.values()].filter((session) => session.get(enabled) === true)
      if (listeners.length === 0) return
      const peer = direction === 'sent' ? message.to : message.from
      const messages = account.get(copied)
      if (message.type === 'error' ? !messages.has(peer, message.id) : !isEligible(message, direction === 'received')) return
      if (message.type !== 'error') messages.note(peer, message.id)
      const [head, tail] = wrapperOf(account, message, direction)
      for (const session of listeners) if (!isLeftOut(session)) send(session, head + session.jid.wire + tail)
    }

    onIqSet(CarbonsEnable, 'self', ({ session }) => session.set(enabled, true))
    onBindInline(CarbonsEnable, (session) => session.set(enabled, true))
    onIqSet(CarbonsDisable, 'self', ({ session }) => session.set(enabled, undefined))
    on(messageSent, 'normal', ({ session, stanza }) => {
      const { account } = session
      // Nearly every account has one session, which never gets copies of its own messages.
      if (account.sessions.size === 1 || stanza.to?.bareEquals(account.jid) === true) return
      copy(account, stanza, 'sent', (other) => other === session, (other, wire) => other.sendWire(wire))
    })
    on(messageDelivered, 'normal', (event) => {
      const { account, stanza, recipients } = event
      if (account.sessions.size === 1 && recipients.length === 1) return
      const { from } = stanza
      const isLeftOut = (other: Session) => recipients.includes(other) || (from !== undefined && other.jid.equals(from))
      copy(account, stanza, 'received', isLeftOut, (other, wire) => event.copyTo(other, wire))
    })
    provide(Carbons, {
      copyFor: (session, message, direction) => {
        const { account } = session
        if (session.get(enabled) !== true || message.type === 'error' || !isEligible(message, direction === 'received')) return undefined
        const [head, tail] = wrapperOf(account, message, direction)
        return stanzaFromFrame(scanFragment(head + session.jid.wire + tail, NS_CLIENT), account.jid, session.jid)
      },
    })
  },
})

/** The copy but for the address of the session, which stands between the two parts (§7, §8). */
function wrapperOf(account: Account, message: Stanza, direction: Direction): readonly [string, string] {
  const type = message.type === '' ? '' : ` type='${escapeAttribute(message.type)}'`
  const original = `<message xmlns='${NS_CLIENT}'${message.toWire().slice('<message'.length)}`
  return [
    `<message from='${account.jid.wire}' to='`,
    `'${type}><${direction} xmlns='${NS_CARBONS}'><forwarded xmlns='${NS_FORWARD}'>${original}</forwarded></${direction}></message>`,
  ]
}
