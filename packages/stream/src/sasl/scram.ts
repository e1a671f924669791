/**
 * SCRAM-SHA-1, -SHA-256, -SHA-512 and their -PLUS forms (RFC 5802, RFC 7677), server side.
 *
 * Nothing in the exchange tells whether the account exists: the core answers with stable invented keys for a name that
 * nobody has, and this code does the same arithmetic for both. The server's own cost is two HMACs and a hash; the
 * client pays for the iterations.
 */
import type { Jid } from '@rollcall/jid'
import { encodeUtf8 } from '@rollcall/xml'
import { encodeBase64 } from './base64.ts'
import { exchangeOf } from './exchange.ts'
import { accountOf, checkAuthzid, concludeSecret, refuseLocked, textOf } from './identity.ts'
import { SaslError } from './sasl.ts'
import type { SaslContext, SaslExchange, SaslStep, ScramHash, ScramKeys } from './sasl.ts'
import { checkProof } from './scram-keys.ts'
import { parseClientFinal, parseClientFirst } from './scram-messages.ts'
import type { ClientFirst } from './scram-messages.ts'

/** 144 bits, a multiple of 3 bytes so that the text needs no padding. */
const NONCE_BYTES = 18

/** How one mechanism differs from the next. */
export interface ScramVariant {
  readonly hash: ScramHash
  /** A -PLUS form: the client binds to the TLS channel. */
  readonly isPlus: boolean
  /** Whether any -PLUS form was offered on this stream: then a client that thinks otherwise was lied to. */
  readonly isPlusOffered: boolean
  /** Attributes added to the first message of the server, with leading commas (RFC 5802 §5.1). */
  readonly attributes?: string
}

/** What the first message settled and the second is checked against. */
interface Pending {
  readonly account: Jid
  readonly keys: ScramKeys
  readonly nonce: string
  /** What `c=` has to hold: GS2 header and binding data. */
  readonly channelBinding: Uint8Array
  /** Signed text up to the client's final message. */
  readonly signedPrefix: string
}

/** One exchange of a SCRAM mechanism. */
export function startScram(context: SaslContext, variant: ScramVariant): SaslExchange {
  let pending: Pending | undefined
  return exchangeOf(async (data): Promise<SaslStep> => {
    if (pending !== undefined) return finish(context, variant.hash, pending, textOf(data))
    const first = parseClientFirst(textOf(data))
    const bindingData = bindingDataOf(context, variant, first)
    const account = accountOf(first.username, context.host)
    checkAuthzid(first.authzid, account)
    const keys = await context.credentials.scramKeys(account, variant.hash)
    refuseLocked(keys.waitMs)
    const nonce = first.nonce + encodeBase64(context.crypto.randomBytes(NONCE_BYTES))
    const challenge = `r=${nonce},s=${encodeBase64(keys.salt)},i=${keys.iterations}${variant.attributes ?? ''}`
    const channelBinding = concat(encodeUtf8(first.gs2Header), bindingData)
    pending = { account, keys, nonce, channelBinding, signedPrefix: `${first.bare},${challenge},` }
    return { kind: 'challenge', data: encodeUtf8(challenge) }
  })
}

const NOTHING = new Uint8Array(0)

/** RFC 5802 §6: the flag has to fit the mechanism and what was offered; answers what the client must have bound to. */
function bindingDataOf(context: SaslContext, variant: ScramVariant, first: ClientFirst): Uint8Array {
  if (variant.isPlus !== (first.flag === 'p')) {
    throw new SaslError('malformed-request', 'channel binding flag does not fit the mechanism')
  }
  // Somebody removed the -PLUS mechanisms from the features on their way to a client that would have used them.
  if (first.flag === 'y' && variant.isPlusOffered) throw new SaslError('not-authorized', 'channel binding was offered')
  if (first.flag !== 'p') return NOTHING
  const bindingData = context.channelBindings.get(first.bindingType)
  if (bindingData === undefined) throw new SaslError('not-authorized', 'channel binding type was not offered')
  return bindingData
}

async function finish(context: SaslContext, hash: ScramHash, pending: Pending, text: string): Promise<SaslStep> {
  const { account, keys } = pending
  const final = parseClientFinal(text)
  if (final.nonce !== pending.nonce) throw new SaslError('not-authorized', 'wrong nonce')
  if (!isEqual(final.channelBinding, pending.channelBinding)) {
    throw new SaslError('not-authorized', 'channel bindings do not match')
  }
  if (final.proof.length !== keys.storedKey.length) throw new SaslError('malformed-request')
  const authMessage = encodeUtf8(pending.signedPrefix + final.withoutProof)
  const signature = checkProof(context.crypto, hash, keys, authMessage, final.proof)
  await concludeSecret(context, account, signature !== undefined && keys.isKnown)
  return { kind: 'success', data: encodeUtf8(`v=${encodeBase64(signature ?? NOTHING)}`), account, isAnonymous: false }
}

// What is compared is known to the client or public, so time may tell.
function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at])
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}
