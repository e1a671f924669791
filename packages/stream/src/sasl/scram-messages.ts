/**
 * The messages of SCRAM as text (RFC 5802 §7). Parsed strictly and by position, since the signed text is made of the
 * exact characters received; unknown optional extensions are skipped, mandatory ones (`m=`) refused (RFC 5802 §5.1).
 */
import { decodeBase64 } from './base64.ts'
import { SaslError } from './sasl.ts'

/** `client-first-message`, with the pieces that are signed as they were sent. */
export interface ClientFirst {
  /** `n`: client cannot bind; `y`: it could but thinks that we cannot; `p`: it binds to `bindingType`. */
  readonly flag: 'n' | 'y' | 'p'
  readonly bindingType: string
  readonly authzid: string | undefined
  readonly username: string
  readonly nonce: string
  /** Everything before `bare`, trailing comma included. */
  readonly gs2Header: string
  readonly bare: string
}

/** `client-final-message`. */
export interface ClientFinal {
  readonly channelBinding: Uint8Array
  readonly nonce: string
  readonly proof: Uint8Array
  readonly withoutProof: string
}

const GS2_HEADER = /^(?:([ny])|p=([A-Za-z0-9.-]+)),(?:a=([^,\0]+))?,/
// RFC 5802 §7 `printable`: visible ASCII but the comma.
const NONCE = /^r=([\x21-\x2b\x2d-\x7e]+)$/
const EXTENSION = /^[A-Za-z]=[^\0]+$/

const malformed = (): SaslError => new SaslError('malformed-request')

/** `saslname`: `=2C` and `=3D` are the only escapes, and a comma cannot occur. */
function nameOf(text: string): string {
  if (/=(?!2C|3D)|\0/.test(text)) throw malformed()
  return text.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

/** Parses `client-first-message`; throws `SaslError('malformed-request')`. */
export function parseClientFirst(text: string): ClientFirst {
  const header = GS2_HEADER.exec(text)
  if (header === null) throw malformed()
  const [gs2Header, noBinding, bindingType, authzid] = header
  const bare = text.slice(gs2Header.length)
  const [name, nonceField, ...extensions] = bare.split(',')
  const nonce = NONCE.exec(nonceField ?? '')?.[1]
  if (name === undefined || !name.startsWith('n=') || nonce === undefined) throw malformed()
  if (!extensions.every(extension => EXTENSION.test(extension))) throw malformed()
  return {
    flag: noBinding === 'n' || noBinding === 'y' ? noBinding : 'p',
    bindingType: bindingType ?? '',
    authzid: authzid === undefined ? undefined : nameOf(authzid),
    username: nameOf(name.slice(2)),
    nonce,
    gs2Header,
    bare,
  }
}

/** Parses `client-final-message`; throws `SaslError('malformed-request')`. */
export function parseClientFinal(text: string): ClientFinal {
  const proofAt = text.lastIndexOf(',p=')
  if (proofAt === -1) throw malformed()
  const withoutProof = text.slice(0, proofAt)
  const [binding, nonceField, ...extensions] = withoutProof.split(',')
  const nonce = NONCE.exec(nonceField ?? '')?.[1]
  const proof = decodeBase64(text.slice(proofAt + 3))
  const channelBinding = binding?.startsWith('c=') ? decodeBase64(binding.slice(2)) : undefined
  if (channelBinding === undefined || nonce === undefined || proof === undefined) throw malformed()
  if (!extensions.every(extension => EXTENSION.test(extension))) throw malformed()
  return { channelBinding, nonce, proof, withoutProof }
}
