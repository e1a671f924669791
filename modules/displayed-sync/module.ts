/**
 * Displayed synchronization (XEP-0490): how far each chat was displayed, shared by the clients of an account.
 *
 * Clients keep it themselves at a private node of personal eventing. This module is the server's assistance: a client says
 * it in a message that it sends anyway, the server publishes it and takes it out, before anybody else sees the message.
 */
import { defineModule, outbound } from '@rollcall/module-api'
import type { OutboundStanza } from '@rollcall/module-api'
import { Log } from '@rollcall/ports'
import { CodecError, DataForm, DisplayedSync, NS_DISPLAYED_ASSIST, NS_DISPLAYED_SYNC } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import { Pep } from '../pep/port.ts'

/** XEP-0490 §4.2 and XEP-0223: private, kept, as many chats as there are, and fetched by whoever comes online. */
const options = DataForm.decode(DataForm.encode({
  type: 'submit',
  fields: [
    { var: 'FORM_TYPE', type: 'hidden', values: ['http://jabber.org/protocol/pubsub#publish-options'] },
    { var: 'pubsub#persist_items', values: ['true'] },
    { var: 'pubsub#max_items', values: ['max'] },
    { var: 'pubsub#send_last_published_item', values: ['never'] },
    { var: 'pubsub#access_model', values: ['whitelist'] },
  ],
}))

const isAssist = ({ name, ns }: { readonly name: string; readonly ns: string }) => ns === NS_DISPLAYED_SYNC && name === 'displayed'

export default defineModule({
  name: 'displayed-sync',
  summary: 'Publishes how far a chat was displayed when a client says so in a message.',
  implements: [{ xep: 490, version: '1.0.1', status: 'complete' }],
  features: { account: [NS_DISPLAYED_ASSIST] },
  needs: { pep: Pep, log: Log },
  setup({ ports: { pep, log }, on }) {
    // After what may refuse the message, before everything that keeps or copies it (§5.2).
    on(outbound, 'normal', ({ session, stanza }: OutboundStanza) => {
      if (stanza.kind !== 'message' || !stanza.children.some(isAssist)) return undefined
      const displayed = stanza.type === 'error' ? undefined : displayedIn(stanza)
      const chat = stanza.to ?? session.account.jid
      if (displayed !== undefined) {
        pep.publish(session.account, NS_DISPLAYED_SYNC, chat.toString(), displayed, options).catch((error: unknown) => {
          const level = error instanceof StanzaError ? 'debug' : 'error'
          log[level]('displayed-not-published', { account: session.account.jid.toString(), error })
        })
      }
      return stanza.withoutChildren(isAssist)
    })
  },
})

/** What was displayed; undefined when it does not say it as it must (§4.1). */
function displayedIn(stanza: Stanza): XmlElement | undefined {
  try {
    const displayed = stanza.decode(DisplayedSync)
    return displayed === undefined ? undefined : DisplayedSync.encode(displayed)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
