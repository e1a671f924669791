/**
 * One avatar per account, wherever clients put it or look for it (XEP-0398).
 *
 * The image is kept once, at the account's node of XEP-0084. Cards show it when they are read, to whoever may read the node,
 * so that nothing has to be kept equal; a photo in a new card is published at the node. Of each warm account only hash
 * and type are in memory, for its presence.
 */
import type { Account } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Hasher, Keyval, Log } from '@rollcall/ports'
import { AvatarData, AvatarMetadata, CodecError, DataForm, NS_AVATAR_DATA, NS_AVATAR_METADATA } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import type { Pep } from '../pep/port.ts'
import { cardWith, photoIn } from './photo.ts'
import type { Photo } from './photo.ts'

/** As stored. */
export type Avatar = {
  /** SHA-1 of the image, lower-case hexadecimal. */
  readonly hash: string
  readonly type: string
  /** Everybody might read it when it was published. */
  readonly isOpen: boolean
}

export interface AvatarState {
  avatar: Avatar | undefined
}

export interface AvatarPorts {
  readonly pep: Pep
  readonly hasher: Hasher
  readonly log: Log
  readonly store: Keyval<Avatar>
  readonly stateOf: (account: Account) => AvatarState
}

/** Cards are for everybody, so a photo out of one is, too. */
const openToAll = DataForm.decode(DataForm.encode({
  type: 'submit',
  fields: [
    { var: 'FORM_TYPE', type: 'hidden', values: ['http://jabber.org/protocol/pubsub#publish-options'] },
    { var: 'pubsub#access_model', values: ['open'] },
  ],
}))

export class Avatars {
  readonly #ports: AvatarPorts

  constructor(ports: AvatarPorts) {
    this.#ports = ports
  }

  /** The account published what it says of its avatar (§3.1); one publication at a time. Never rejects. */
  async noticed(account: Account, metadata: XmlElement | undefined): Promise<void> {
    const owner = account.jid.toString()
    try {
      const avatar = metadata === undefined ? undefined : await this.#avatarIn(account, metadata)
      this.#ports.stateOf(account).avatar = avatar
      if (avatar === undefined) await this.#ports.store.delete(owner)
      else await this.#ports.store.set(owner, avatar)
    } catch (error) {
      this.#ports.log.error('avatar-not-noticed', { account: owner, error })
    }
  }

  /** The card as that reader may see it. */
  async read(account: Account, reader: Jid, card: XmlElement | undefined): Promise<XmlElement | undefined> {
    const { avatar } = this.#ports.stateOf(account)
    if (avatar === undefined || !(await this.#mayRead(account, reader))) return card
    const image = await this.#image(account, avatar.hash)
    return image === undefined ? card : cardWith(card, { type: avatar.type, image })
  }

  /** The account published a card (§3.2); settles when its photo is at the nodes, or cannot be. */
  async published(account: Account, card: XmlElement): Promise<void> {
    const photo = photoIn(card)
    if (photo === undefined) return
    const hash = this.#hash(photo.image)
    // A client that changes something else sends the photo along that it was shown.
    if (hash === this.#ports.stateOf(account).avatar?.hash) return
    try {
      await this.#publish(account, hash, photo)
    } catch (error) {
      // The card has it all the same.
      if (!(error instanceof StanzaError)) throw error
      this.#ports.log.debug('avatar-not-published', { account: account.jid.toString(), error })
    }
  }

  /** The one whose image is at the data node, and is what its name says. */
  async #avatarIn(account: Account, metadata: XmlElement): Promise<Avatar | undefined> {
    const info = infosIn(metadata).find(({ url }) => url === undefined)
    const image = info === undefined ? undefined : await this.#image(account, info.id)
    if (info === undefined || image === undefined) return undefined
    const hash = this.#hash(image)
    if (hash !== info.id.toLowerCase()) return undefined
    // The host stands for a stranger.
    return { hash, type: info.type, isOpen: await this.#mayRead(account, account.jid.domain) }
  }

  async #publish(account: Account, hash: string, { type, image }: Photo): Promise<void> {
    const metadata = AvatarMetadata.encode({ infos: [{ bytes: image.length, id: hash, type }] })
    await this.#publishAt(account, NS_AVATAR_DATA, hash, AvatarData.encode({ image }))
    await this.#publishAt(account, NS_AVATAR_METADATA, hash, metadata)
  }

  async #publishAt(account: Account, node: string, id: string, payload: XmlElement): Promise<void> {
    try {
      await this.#ports.pep.publish(account, node, id, payload, openToAll)
    } catch (error) {
      // The node is there, and for fewer people: that is its owner's wish.
      if (!(error instanceof StanzaError && error.condition === 'conflict')) throw error
      await this.#ports.pep.publish(account, node, id, payload)
    }
  }

  async #mayRead(account: Account, reader: Jid): Promise<boolean> {
    const { pep } = this.#ports
    return (await pep.mayRead(account, NS_AVATAR_METADATA, reader)) && pep.mayRead(account, NS_AVATAR_DATA, reader)
  }

  async #image(account: Account, id: string): Promise<Uint8Array | undefined> {
    const payload = (await this.#ports.pep.item(account, NS_AVATAR_DATA, id))?.payload
    if (payload?.ns !== NS_AVATAR_DATA || payload.name !== AvatarData.name) return undefined
    return readOr(() => AvatarData.decode(payload).image, undefined)
  }

  /** At most `modules.pep.itemBytesMax`, once per publication. */
  #hash(image: Uint8Array): string {
    return Array.from(this.#ports.hasher.hash('sha-1', image), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }
}

function infosIn(metadata: XmlElement): AvatarMetadata['infos'] {
  return readOr(() => AvatarMetadata.decode(metadata).infos, [])
}

/** What clients publish is theirs; what cannot be read is left alone. */
function readOr<T, D>(read: () => T, otherwise: D): T | D {
  try {
    return read()
  } catch (error) {
    if (error instanceof CodecError) return otherwise
    throw error
  }
}
