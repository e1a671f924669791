/** XEP-0153: vCard-Based Avatars, version 1.1. */
import { childText } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_VCARD_UPDATE = 'vcard-temp:x:update'

/**
 * What a presence says of the avatar (§4.1): the SHA-1 of the image in hexadecimal; '' when there is none; nothing when the
 * client cannot say yet.
 */
export const VcardUpdate = element(NS_VCARD_UPDATE, 'x', { photo: childText('photo').optional() })
export type VcardUpdate = Infer<typeof VcardUpdate>
