/** Avatars of new clients for old ones, and the other way round (XEP-0398): cards, presence and XEP-0084 tell the same. */
import { defineModule, keyvalStore, outbound, storedIn } from '@rollcall/module-api'
import { Hasher, Log } from '@rollcall/ports'
import { NS_AVATAR_METADATA } from '@rollcall/protocol'
import { Pep } from '../pep/port.ts'
import { Vcards } from '../vcard/port.ts'
import { Avatars } from './avatars.ts'
import type { Avatar, AvatarState } from './avatars.ts'
import { presenceWith } from './photo.ts'

const avatarStore = keyvalStore<Avatar>('avatar')

export default defineModule({
  name: 'avatar-conversion',
  summary: 'Shows the avatars of new clients to old ones and the other way round.',
  implements: [
    { xep: 398, version: '1.0.0', status: 'complete' },
    { xep: 153, version: '1.1.1', status: 'complete', note: 'the hash in presence, in the place of clients' },
    { xep: 84, version: '1.1.4', status: 'complete', note: 'kept by personal eventing; published for clients that only know cards' },
  ],
  features: { account: ['urn:xmpp:pep-vcard-conversion:0'] },
  stores: { avatars: avatarStore },
  needs: { hasher: Hasher, log: Log, pep: Pep, vcards: Vcards },
  setup({ stores, ports, accountSlot, on }) {
    const { pep, vcards } = ports
    const slot = accountSlot<AvatarState>({
      slotName: 'avatar',
      version: 1,
      ...storedIn(avatarStore, (avatar) => ({ avatar })),
    })
    const avatars = new Avatars({ ...ports, store: stores.avatars, stateOf: (account) => account.get(slot) })
    pep.onPublished(NS_AVATAR_METADATA, (account, _node, item) => avatars.noticed(account, item.payload))
    vcards.onPublished((account, card) => avatars.published(account, card))
    vcards.onRead((account, reader, card) => avatars.read(account, reader, card))
    on(outbound, 'late', ({ session, stanza }) => {
      if (stanza.type !== '') return undefined
      const { avatar } = session.account.get(slot)
      // Directed presence goes to strangers as well, rooms with pseudonyms among them.
      if (avatar === undefined || (stanza.to !== undefined && !avatar.isOpen)) return undefined
      return presenceWith(stanza, avatar.hash)
    }, { kinds: ['presence'] })
  },
})
