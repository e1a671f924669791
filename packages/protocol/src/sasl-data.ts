/** SASL data in RFC 6120 §6.4: base64, where a lone `=` is how data of no bytes differs from no data. */
import { base64Type } from './lexical.ts'
import type { Lexical } from './lexical.ts'

const lone = /^\s*=\s*$/

/** Where absence has a meaning of its own: an initial response (§6.4.2) and the data with a success (§6.4.6). */
export const optionalSaslData: Lexical<Uint8Array> = {
  type: 'base64',
  parse: (text) => (lone.test(text) ? new Uint8Array(0) : base64Type.parse(text)),
  format: (value) => (value.length === 0 ? '=' : base64Type.format(value)),
}

/** In challenges and responses: an empty element is data of no bytes, and a lone `=` is understood. */
export const saslData: Lexical<Uint8Array> = { ...optionalSaslData, format: base64Type.format }
