/** XEP-0054: vcard-temp, version 1.3.0. The server keeps the card and does not look inside. */
import { raw } from './codec.ts'

export const NS_VCARD = 'vcard-temp'

/** A card as it was published; empty in requests. */
export const VcardTemp = raw(NS_VCARD, 'vCard')
