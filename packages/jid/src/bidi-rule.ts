/**
 * The Bidi Rule of RFC 5893 §2, applied to localparts that contain a right-to-left code point (RFC 8265 §3.3.2;
 * domain labels get theirs from UTS #46 processing). Only code points of the IdentifierClass are ever asked
 * about; the classes of ASCII symbols are spelled out, everything unlisted is left-to-right.
 */
import { BIDI_AL, BIDI_AN, BIDI_EN_ID, BIDI_R } from './unicode-data.ts'

const NEUTRAL_ASCII = '\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e'
const NEUTRAL_OTHER = '\\u00b7\\u02b9\\u02ba\\u02c6-\\u02cf\\u02ec\\u02ed\\u0374\\u0375\\u2e2f\\u30fb\\ua67f\\ua717-\\ua71f\\ua788'
// Mn is NSM but for five code points of Kannada, Zanabazar Square and Bhaiksuki, which are L.
const NSM = '\\p{Mn}'
const NOT_NSM = '\\u0cbf\\u0cc6\\u{11a07}\\u{11a08}\\u{11c3f}'
const RTL_ONLY = `${BIDI_R}${BIDI_AL}${BIDI_AN}`

const HAS_RTL = new RegExp(`[${RTL_ONLY}]`, 'u')
const STARTS_RTL = new RegExp(`^[${BIDI_R}${BIDI_AL}]`, 'u')
const RTL_ALPHABET = new RegExp(
  `^(?:(?![${NOT_NSM}])[${RTL_ONLY}${BIDI_EN_ID}${NEUTRAL_ASCII}${NEUTRAL_OTHER}\\u200c\\u200d${NSM}])+$`, 'u')
const RTL_END = new RegExp(`^[${RTL_ONLY}${BIDI_EN_ID}]$`, 'u')
const EUROPEAN = new RegExp(`[${BIDI_EN_ID}]`, 'u')
const ARABIC = new RegExp(`[${BIDI_AN}]`, 'u')
const MARK = /^\p{Mn}$/u

/** The last character that is not a nonspacing mark; found by walking back, which stays linear on hostile text. */
function lastBaseCharacter(text: string): string {
  const chars = Array.from(text)
  return chars.findLast(char => !MARK.test(char)) ?? ''
}

/** Whether `text` has no right-to-left code point, or has them and satisfies RFC 5893 §2. */
export function bidiRuleHolds(text: string): boolean {
  if (!HAS_RTL.test(text)) return true
  // Conditions 1 and 5: a text that starts left-to-right may contain no R, AL or AN, and this one does.
  if (!STARTS_RTL.test(text)) return false
  if (!RTL_ALPHABET.test(text)) return false                            // condition 2
  if (!RTL_END.test(lastBaseCharacter(text))) return false              // condition 3
  return !(EUROPEAN.test(text) && ARABIC.test(text))                    // condition 4
}
