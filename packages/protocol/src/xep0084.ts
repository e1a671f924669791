/** XEP-0084: User Avatar, version 1.1.4. */
import { attr } from './attr.ts'
import { children } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'
import { base64Type } from './lexical.ts'
import type { Lexical } from './lexical.ts'
import { text } from './text.ts'

/** Namespace of images, and name of the node that they are published at. */
export const NS_AVATAR_DATA = 'urn:xmpp:avatar:data'
/** Namespace of what is said about images, and name of that node. */
export const NS_AVATAR_METADATA = 'urn:xmpp:avatar:metadata'

/** Base64 in lines, as much software writes images; written without them. */
export const linedBase64Type: Lexical<Uint8Array> = { ...base64Type, parse: (code) => base64Type.parse(code.replace(/\s+/g, '')) }

/** An image (§4.1); the id of its item is its SHA-1 in lower-case hexadecimal. */
export const AvatarData = element(NS_AVATAR_DATA, 'data', { image: text.of(linedBase64Type) })
export type AvatarData = Infer<typeof AvatarData>

/** One form of the avatar (§4.2.1). */
export const AvatarInfo = element(NS_AVATAR_METADATA, 'info', {
  /** Of the image. */
  bytes: attr.uint('bytes'),
  /** SHA-1 of the image, in hexadecimal. */
  id: attr.string('id'),
  /** Media type. */
  type: attr.string('type'),
  /** Where the image is when it is not at the data node. */
  url: attr.string('url').optional(),
  height: attr.uint('height').optional(),
  width: attr.uint('width').optional(),
})
export type AvatarInfo = Infer<typeof AvatarInfo>

/** All forms of the avatar; none: there is no avatar (§4.2.2). */
export const AvatarMetadata = element(NS_AVATAR_METADATA, 'metadata', { infos: children(AvatarInfo) })
export type AvatarMetadata = Infer<typeof AvatarMetadata>
