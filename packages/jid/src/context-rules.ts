/**
 * The contextual rules CONTEXTJ and CONTEXTO of RFC 5892, appendix A, shared by IDNA2008 and PRECIS
 * (RFC 8264 §9.6, §9.8): some code points are fine between the right neighbours and misleading elsewhere.
 * Every rule is linear in the length of the text, so that hostile text costs no more than honest text.
 */
import { JOINING_D, JOINING_L, JOINING_R, VIRAMA } from './unicode-data.ts'

const IS_VIRAMA = new RegExp(`^[${VIRAMA}]$`, 'u')
const JOINS_FORWARD = new RegExp(`^[${JOINING_L}${JOINING_D}]$`, 'u')
const JOINS_BACKWARD = new RegExp(`^[${JOINING_R}${JOINING_D}]$`, 'u')
// Joining_Type Transparent: marks and format characters but the joiners and prepended signs, and one Adlam letter.
const TRANSPARENT = /^(?!\p{Join_Control}|[\u0600-\u0605\u06dd])[\p{Mn}\p{Me}\p{Cf}\u{1e94b}]$/u
const GREEK = /^\p{Script=Greek}$/u
const HEBREW = /^\p{Script=Hebrew}$/u
const KANA_OR_HAN = /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u
const ARABIC_INDIC_DIGIT = /[\u0660-\u0669]/
const EXTENDED_ARABIC_INDIC_DIGIT = /[\u06f0-\u06f9]/

/** Finds the nearest neighbour that is not transparent to joining, walking by `step` from `index`. */
function joiningNeighbour(chars: readonly string[], index: number, step: 1 | -1): string {
  let at = index + step
  while (TRANSPARENT.test(chars[at] ?? '')) at += step
  return chars[at] ?? ''
}

/** Appendix A.1: ZERO WIDTH NON-JOINER after a virama or inside a cursive connection. */
function zeroWidthNonJoinerFits(chars: readonly string[], index: number): boolean {
  if (IS_VIRAMA.test(chars[index - 1] ?? '')) return true
  return JOINS_FORWARD.test(joiningNeighbour(chars, index, -1))
    && JOINS_BACKWARD.test(joiningNeighbour(chars, index, 1))
}

function fits(chars: readonly string[], index: number, text: string): boolean {
  const char = chars[index] ?? ''
  const before = chars[index - 1] ?? ''
  const after = chars[index + 1] ?? ''
  switch (char) {
    case '\u200c': return zeroWidthNonJoinerFits(chars, index)
    case '\u200d': return IS_VIRAMA.test(before)
    case '\u00b7': return before === 'l' && after === 'l'
    case '\u0375': return GREEK.test(after)
    case '\u05f3':
    case '\u05f4': return HEBREW.test(before)
    // KATAKANA MIDDLE DOT is itself of script Common, so it never satisfies its own rule.
    case '\u30fb': return KANA_OR_HAN.test(text)
    default: return true
  }
}

/** Whether every contextual code point of `text` (a localpart, resourcepart or one label) is in its context. */
export function contextRulesHold(text: string): boolean {
  if (ARABIC_INDIC_DIGIT.test(text) && EXTENDED_ARABIC_INDIC_DIGIT.test(text)) return false
  const chars = Array.from(text)
  return chars.every((_, index) => fits(chars, index, text))
}
