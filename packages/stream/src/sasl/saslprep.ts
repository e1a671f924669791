/**
 * Preparation of passwords: SASLprep (RFC 4013), as RFC 5802 §2.2 asks.
 *
 * In SCRAM it is the client who prepares, and every client that prepares at all does SASLprep, so its successor
 * OpaqueString (RFC 8265) would lock people with, say, a ligature in their password out. Two rules are not applied, and
 * neither can lock anybody out: unassigned code points pass, since "unassigned" there means Unicode 3.2 and no emoji
 * would be allowed, and directionality is not checked, since nobody displays a password.
 */

/** Longest password looked at and longest result, in UTF-16 units. */
export const PASSWORD_UNITS_MAX = 1024

const VISIBLE_ASCII = /^[\x20-\x7e]*$/
// RFC 3454 B.1. U+200B is in C.1.2 as well; to drop it is what most implementations do. Combining characters stand apart from the
// class, where they could be taken for a sequence.
const MAPPED_TO_NOTHING = /\u034f|[\u180b-\u180d]|[\ufe00-\ufe0f]|[\u00ad\u1806\u200b-\u200d\u2060\ufeff]/gu
// RFC 3454 C.1.2.
const NON_ASCII_SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu
// RFC 3454 C.2.1 to C.9; surrogates (C.5) are the lone ones, noncharacters (C.4) have a property of their own.
const PROHIBITED = new RegExp(
  '[\\u0000-\\u001f\\u007f-\\u009f\\u0340\\u0341\\u06dd\\u070f\\u180e\\u200e\\u200f\\u2028-\\u202e\\u2061-\\u2063'
  + '\\u206a-\\u206f\\u2ff0-\\u2ffb\\ufff9-\\ufffd\\u{1d173}-\\u{1d17a}\\u{e0001}\\u{e0020}-\\u{e007f}'
  + '\\p{Private_Use}\\p{Surrogate}\\p{Noncharacter_Code_Point}]',
  'u',
)

/** The prepared password, or undefined when it is empty, too long or holds what SASLprep prohibits. */
export function saslprep(password: string): string | undefined {
  if (password === '' || password.length > PASSWORD_UNITS_MAX) return undefined
  if (VISIBLE_ASCII.test(password)) return password
  const prepared = password.replace(MAPPED_TO_NOTHING, '').replace(NON_ASCII_SPACE, ' ').normalize('NFKC')
  const isRefused = prepared === '' || prepared.length > PASSWORD_UNITS_MAX || PROHIBITED.test(prepared)
  return isRefused ? undefined : prepared
}
