/**
 * The HT mechanisms (draft-ietf-kitten-sasl-ht-00): a client proves that it has a token, in one message, and the server's
 * answer proves that it has it too.
 *
 * The proof is checked by the core, where the tokens are, so that no token ever travels to an edge. Guessing is no
 * danger (a token has 256 bits), so attempts do not count against the account, which a stranger could lock otherwise.
 */
import { exchangeOf } from './exchange.ts'
import { accountOf, refuseBy, textOf } from './identity.ts'
import { SaslError } from './sasl.ts'
import type { FastLogin, SaslExchange, TokenContext } from './sasl.ts'

/** Bytes of HMAC-SHA-256. */
const PROOF_BYTES = 32

const NONE = 'HT-SHA-256-NONE'
/** Mechanism by channel binding, strongest first. */
const MECHANISMS = new Map([
  ['tls-exporter', 'HT-SHA-256-EXPR'],
  ['tls-unique', 'HT-SHA-256-UNIQ'],
  ['tls-server-end-point', 'HT-SHA-256-ENDP'],
])

const utf8 = new TextEncoder()
const INITIATOR = utf8.encode('Initiator')
const RESPONDER = utf8.encode('Responder')

/** The mechanisms for channel bindings of these types, strongest first; the one without is always there. */
export function hashedTokenMechanisms(bindingTypes: readonly string[]): string[] {
  return [...[...MECHANISMS].filter(([type]) => bindingTypes.includes(type)).map(([, name]) => name), NONE]
}

/** What the client signs. */
export const initiatorText = (bindingData: Uint8Array): Uint8Array => joined(INITIATOR, bindingData)
/** What the server signs. */
export const responderText = (bindingData: Uint8Array): Uint8Array => joined(RESPONDER, bindingData)

/** One exchange: `authcid NUL HMAC(token, "Initiator" cb-data)`. `mechanism` is one of `hashedTokenMechanisms`. */
export function startHashedToken(context: TokenContext, mechanism: string, login: FastLogin): SaslExchange {
  return exchangeOf(async data => {
    const nul = data.indexOf(0)
    if (nul === -1 || data.length !== nul + 1 + PROOF_BYTES) throw new SaslError('malformed-request')
    const account = accountOf(textOf(data.subarray(0, nul)), context.host)
    const proof = data.slice(nul + 1)
    const answer = await context.credentials.checkToken(account, {
      ...login, mechanism, bindingData: bindingDataOf(context, mechanism), proof,
    })
    if (answer.outcome !== 'accepted') {
      throw new SaslError(answer.outcome === 'expired' ? 'credentials-expired' : 'not-authorized')
    }
    const verdict = await context.credentials.report(account, true)
    // A lock stops guessing; a token cannot be guessed.
    if (verdict.refusal !== 'locked') refuseBy(verdict)
    return { kind: 'success', data: answer.signature, account, isAnonymous: false }
  })
}

function bindingDataOf(context: TokenContext, mechanism: string): Uint8Array {
  if (mechanism === NONE) return new Uint8Array(0)
  for (const [type, name] of MECHANISMS) {
    const data = context.channelBindings.get(type)
    if (name === mechanism && data !== undefined) return data
  }
  throw new SaslError('invalid-mechanism')
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}
