/** Avatars where old clients look for them: in cards (XEP-0054) and in presence (XEP-0153). */
import { CodecError, LexicalError, linedBase64Type, NS_VCARD, NS_VCARD_UPDATE, VcardUpdate } from '@rollcall/protocol'
import type { Stanza } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'

/** An image and its media type. */
export interface Photo {
  readonly type: string
  readonly image: Uint8Array
}

/** What a card without a type may hold; clients look at the image itself. */
const UNKNOWN_TYPE = 'image/png'

/** The photo in a card, if it is there and not somewhere else (`EXTVAL`). */
export function photoIn(card: XmlElement): Photo | undefined {
  const photo = card.child('PHOTO')
  const code = photo?.childText('BINVAL')?.trim() ?? ''
  if (code === '') return undefined
  try {
    const type = photo?.childText('TYPE')?.trim() ?? ''
    return { type: type === '' ? UNKNOWN_TYPE : type, image: linedBase64Type.parse(code) }
  } catch (error) {
    if (error instanceof LexicalError) return undefined
    throw error
  }
}

/** A copy of the card with this photo in place of its own. */
export function cardWith(card: XmlElement | undefined, { type, image }: Photo): XmlElement {
  const others = card?.children.filter((node) => !(node instanceof XmlElement && node.name === 'PHOTO')) ?? []
  const child = (name: string, text: string) => new XmlElement(name, NS_VCARD, undefined, [text])
  const photo = new XmlElement('PHOTO', NS_VCARD, undefined, [child('TYPE', type), child('BINVAL', linedBase64Type.format(image))])
  return new XmlElement('vCard', NS_VCARD, card?.attributes, [...others, photo])
}

/**
 * An available presence that names the avatar (XEP-0398 §4). A client that says that there is none is believed; what it
 * says of another avatar, or that it cannot say, gives way.
 */
export function presenceWith(presence: Stanza, hash: string): Stanza {
  if (presence.has('x', NS_VCARD_UPDATE)) {
    const photo = saidIn(presence)
    if (photo === '' || photo?.toLowerCase() === hash) return presence
  }
  return presence
    .withoutChildren(({ name, ns }) => name === 'x' && ns === NS_VCARD_UPDATE)
    .withChild('x', NS_VCARD_UPDATE, VcardUpdate.toWire({ photo: hash }))
}

function saidIn(presence: Stanza): string | undefined {
  try {
    return presence.decode(VcardUpdate)?.photo
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
