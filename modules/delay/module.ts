/**
 * Takes delay stamps off that claim to be this server's own (XEP-0203 §5): only this server may say what it held back.
 * What it does hold back it stamps where that happens, with `delay` elements of the offline messages and of presence.
 */
import { defineModule, inbound } from '@rollcall/module-api'
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { NS_DELAY } from '@rollcall/protocol'
import type { Stanza, StanzaChild } from '@rollcall/stanza'

export default defineModule({
  name: 'delay',
  summary: 'Refuses delay stamps that others forge in the server’s name.',
  implements: [{ xep: 203, version: '2.0', status: 'complete' }],
  features: { host: [NS_DELAY] },
  setup({ on }) {
    on(inbound, 'early', ({ account, stanza }) => {
      if (stanza.findNs(NS_DELAY) === undefined) return
      const host = account.jid.domain
      // The server's own word.
      if (stanza.from !== undefined && stanza.from.equals(host)) return
      return stanza.withoutChildren((child) => isStampOf(stanza, child, host))
    }, { kinds: ['message'] })
  },
})

function isStampOf(stanza: Stanza, child: StanzaChild, host: Jid): boolean {
  if (child.name !== 'delay' || child.ns !== NS_DELAY) return false
  const from = stanza.element(child).attribute('from')
  return from !== undefined && tryParseJid(from)?.equals(host) === true
}
