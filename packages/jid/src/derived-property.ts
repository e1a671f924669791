/**
 * The derived property of a code point: PRECIS IdentifierClass and FreeformClass (RFC 8264 §8) and IDNA2008
 * (RFC 5892 §3). Computed from the engine's Unicode tables instead of shipped as a table, as both RFCs ask, so
 * that the answer follows the Unicode version of the engine. The order of the tests is the order of the RFCs
 * and is significant.
 */

/** `pvalid` everywhere, `free` in FreeformClass only, `context` if its rule holds, `disallowed` nowhere. */
export type DerivedProperty = 'pvalid' | 'free' | 'context' | 'disallowed'

// RFC 8264 §9.6 and RFC 5892 §2.6 (the same set), split by outcome.
const EXCEPTION_PVALID = /^[\u00df\u03c2\u06fd\u06fe\u0f0b\u3007]$/u
const EXCEPTION_CONTEXT = /^[\u00b7\u0375\u05f3\u05f4\u30fb\u0660-\u0669\u06f0-\u06f9]$/u
const EXCEPTION_DISALLOWED = /^(?:[\u0640\u07fa\u3031-\u3035\u303b]|\u302e|\u302f)$/u

const UNASSIGNED_OR_NONCHARACTER = /^[\p{Cn}\p{Cs}\p{Noncharacter_Code_Point}]$/u
const ASCII_PRINTABLE = /^[\x21-\x7e]$/u
const JOIN_CONTROL = /^\p{Join_Control}$/u
// Conjoining jamo: Hangul_Syllable_Type L, V or T.
const OLD_HANGUL_JAMO = /^[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb]$/u
const IGNORABLE = /^[\p{Default_Ignorable_Code_Point}\p{Cc}]$/u
const LETTER_DIGIT = /^[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]$/u
// OtherLetterDigits, Spaces, Symbols, Punctuation (RFC 8264 §9.14, 9.15, 9.18).
const FREEFORM = /^[\p{Lt}\p{Nl}\p{No}\p{Me}\p{Zs}\p{S}\p{P}]$/u

const LDH = /^[a-z0-9-]$/
const CHANGES_WHEN_FOLDED = /^\p{Changes_When_NFKC_Casefolded}$/u
// RFC 5892 §2.4: combining marks for symbols, musical symbols, ancient Greek musical notation.
const IDNA_IGNORABLE_BLOCK = /^[\u20d0-\u20ff\u{1d100}-\u{1d1ff}\u{1d200}-\u{1d24f}]$/u
const IDNA_LETTER_DIGIT = LETTER_DIGIT

function exception(char: string): DerivedProperty | undefined {
  if (EXCEPTION_PVALID.test(char)) return 'pvalid'
  if (EXCEPTION_CONTEXT.test(char)) return 'context'
  if (EXCEPTION_DISALLOWED.test(char)) return 'disallowed'
  // BackwardCompatible (RFC 8264 §9.7, RFC 5892 §2.7) is the next category; both RFCs define it as empty.
  return undefined
}

/** The PRECIS derived property of one code point given as a string (RFC 8264 §8). */
export function precisProperty(char: string): DerivedProperty {
  const fixed = exception(char)
  if (fixed !== undefined) return fixed
  if (UNASSIGNED_OR_NONCHARACTER.test(char)) return 'disallowed'
  if (ASCII_PRINTABLE.test(char)) return 'pvalid'
  if (JOIN_CONTROL.test(char)) return 'context'
  if (OLD_HANGUL_JAMO.test(char)) return 'disallowed'
  if (IGNORABLE.test(char)) return 'disallowed'
  // HasCompat (RFC 8264 §9.17).
  if (char.normalize('NFKC') !== char) return 'free'
  if (LETTER_DIGIT.test(char)) return 'pvalid'
  return FREEFORM.test(char) ? 'free' : 'disallowed'
}

/** The IDNA2008 derived property of one code point given as a string (RFC 5892 §3). */
export function idnaProperty(char: string): Exclude<DerivedProperty, 'free'> {
  const fixed = exception(char)
  if (fixed !== undefined) return fixed as Exclude<DerivedProperty, 'free'>
  if (UNASSIGNED_OR_NONCHARACTER.test(char)) return 'disallowed'
  if (LDH.test(char)) return 'pvalid'
  if (JOIN_CONTROL.test(char)) return 'context'
  if (CHANGES_WHEN_FOLDED.test(char) || IGNORABLE.test(char)) return 'disallowed'
  if (IDNA_IGNORABLE_BLOCK.test(char) || OLD_HANGUL_JAMO.test(char)) return 'disallowed'
  return IDNA_LETTER_DIGIT.test(char) ? 'pvalid' : 'disallowed'
}
