/** SASL mechanisms, server side. */
export * from './sasl.ts'
export { channelBindingTypesFor, mechanismsFor, offerOf, refusalOf, startSasl, tokenMechanismsFor } from './mechanisms.ts'
export { SASL_ATTEMPTS_MAX, saslSession } from './session.ts'
export type { SaslReply, SaslSession } from './session.ts'
export { SASL_MESSAGE_BYTES_MAX } from './exchange.ts'
export { initiatorText, responderText } from './hashed-token.ts'
export { decodeBase64, encodeBase64 } from './base64.ts'
export { saslprep } from './saslprep.ts'
export {
  deriveScramVerifier, isPlausibleVerifier, matchesScramVerifier, SCRAM_ITERATIONS_MAX, SCRAM_ITERATIONS_MIN,
  verifierFromSaltedPassword,
} from './scram-keys.ts'
