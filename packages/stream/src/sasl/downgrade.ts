/**
 * What SCRAM's first server message says so that nobody in the middle can make a connection weaker: a hash of what the
 * features offered (XEP-0474 version 0.5.0) and the version of TLS (XEP-0515 version 0.1.0). Both become part of what
 * is signed, so a client that compares them with what it saw finds out whatever was changed on the way.
 */
import { encodeBase64 } from './base64.ts'
import type { SaslContext, SaslOffer, ScramHash } from './sasl.ts'

const BETWEEN_NAMES = '\x1e'
const BETWEEN_LISTS = '\x1f'

const ascii = new TextEncoder()

/**
 * The text that is hashed (XEP-0474 §5.1). `bindings` is empty when no `<sasl-channel-binding/>` was sent. Both lists are
 * ASCII, which sorts by UTF-16 units as it does by octets.
 */
export function offerText(mechanisms: readonly string[], bindings: readonly string[]): string {
  const names = mechanisms.toSorted().join(BETWEEN_NAMES)
  return bindings.length === 0 ? names : names + BETWEEN_LISTS + bindings.toSorted().join(BETWEEN_NAMES)
}

/** The attributes `h` and `t` with their leading commas; `t` only where TLS ends here. */
export function downgradeAttributes(context: SaslContext, hash: ScramHash, offer: SaslOffer): string {
  let digest = offer.digests.get(hash)
  if (digest === undefined) {
    digest = encodeBase64(context.crypto.hash(hash, ascii.encode(offerText(offer.mechanisms, offer.bindingTypes))))
    offer.digests.set(hash, digest)
  }
  const version = context.tlsVersion === undefined ? '' : `,t=${context.tlsVersion}`
  return `,h=${digest}${version}`
}
