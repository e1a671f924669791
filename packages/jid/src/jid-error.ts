/** The one error this package throws, with the table of its stable codes: callers map codes, never messages. */

/** Which part of an address was refused; `jid` when the text as a whole was. */
export type JidPart = 'localpart' | 'domainpart' | 'resourcepart' | 'jid'

/** Every reason a JID can be refused, with the sentence shown to people. Codes are stable; sentences are not. */
export const JID_ERRORS = {
  'empty': 'is empty',
  'too-long': 'is longer than 1023 bytes once prepared',
  'malformed': 'is not well-formed text',
  'disallowed': 'contains a code point this part may not contain',
  'context': 'contains a code point outside the only context in which it is allowed',
  'bidi': 'mixes writing directions in a way that cannot be displayed unambiguously',
  'unstable': 'has no stable prepared form',
  'label': 'has a label that is not a valid host name label',
  'address': 'is not a valid IP address literal',
} as const

/** A stable error code of {@link JidError}. */
export type JidErrorCode = keyof typeof JID_ERRORS

/** An address that RFC 7622 does not allow; senders get `jid-malformed` (RFC 6120 §8.3.3.8). */
export class JidError extends Error {
  readonly part: JidPart
  readonly code: JidErrorCode

  constructor(part: JidPart, code: JidErrorCode) {
    super(`${part} ${JID_ERRORS[code]}`)
    this.name = 'JidError'
    this.part = part
    this.code = code
  }
}
