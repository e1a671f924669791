/**
 * A small defence against localparts that imitate each other, for use at registration.
 *
 * What it detects: (1) letters of Cyrillic, Greek, Armenian and Latin extensions, and ASCII digits, that common
 * fonts draw like an ASCII lower-case letter; (2) `rn` for m, `vv` for w; (3) letters told apart only by
 * diacritics or other nonspacing marks; (4) text that mixes scripts.
 * What it does not detect: imitation inside other scripts or between two non-Latin scripts beyond (1), whole
 * words, or anything that depends on a font. It is not the confusables table of UTS #39, which is forty times
 * as large; its single-script test (§5.1) it does follow.
 */

// Each group: look-alikes, then the ASCII text all of them are reduced to.
const LOOK_ALIKES: readonly (readonly [string, string])[] = [
  ['аαɑ', 'a'], ['ьƅ', 'b'], ['сϲⅽᴄƈ', 'c'], ['ԁɗ', 'd'], ['еҽєε', 'e'], ['ғƒ', 'f'], ['ɡցԍɠ', 'g'],
  ['һհɦ', 'h'], ['іıιӏɩɨ1l|', 'i'], ['јϳʝɉ', 'j'], ['кκҝқҡƙ', 'k'], ['пոռηɴƞŋ', 'n'],
  ['оοօσ0øөɵዐ००໐', 'o'], ['рρþϸƿ', 'p'], ['ԛզգʠ', 'q'], ['гᴦɼ', 'r'], ['ѕʂƽ', 's'], ['тτţŧ', 't'],
  ['υսʋц', 'u'], ['νѵᴠ', 'v'], ['ԝшωա', 'w'], ['хχ×', 'x'], ['уγүყўɣʏ', 'y'], ['ᴢʐƶ', 'z'],
  ['мʍ', 'rn'], ['æӕ', 'ae'], ['œ', 'oe'], ['ß', 'ss'], ['đ', 'd'], ['ł', 'i'], ['ħћђ', 'h'],
]

const REDUCTION = new Map(LOOK_ALIKES.flatMap(([chars, ascii]) => Array.from(chars, char => [char, ascii] as const)))

/**
 * Reduces a prepared localpart to a text that look-alikes share: two localparts with equal skeletons are
 * confusable in the sense described above. Never shown, only compared.
 */
export function skeleton(localpart: string): string {
  // Before marks are dropped, because some look-alikes (ў, ţ) decompose into letter and mark themselves.
  const base = localpart.toLowerCase().normalize('NFKD').replace(/[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}]/gu, '')
  const reduced = Array.from(base, char => REDUCTION.get(char) ?? char).join('')
  return reduced.replaceAll('m', 'rn').replaceAll('w', 'vv').normalize('NFC')
}

// The recommended and limited-use scripts of UAX #31, tables 5 and 7; any other script counts as one, `Other`.
const SCRIPTS = [
  'Latin', 'Greek', 'Cyrillic', 'Armenian', 'Hebrew', 'Arabic', 'Syriac', 'Thaana', 'Nko', 'Devanagari', 'Bengali',
  'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Thai', 'Lao', 'Tibetan',
  'Myanmar', 'Georgian', 'Ethiopic', 'Cherokee', 'Khmer', 'Mongolian', 'Canadian_Aboriginal', 'Tifinagh', 'Yi',
  'Adlam', 'Balinese', 'Cham', 'Javanese', 'Lisu', 'Meetei_Mayek', 'Miao', 'Newa', 'Ol_Chiki', 'Tai_Tham', 'Vai',
] as const
const EAST_ASIAN = ['Han', 'Hiragana', 'Katakana', 'Hangul', 'Bopomofo'] as const
// UTS #39 §5.1: the writing systems of Japan, Korea and Taiwan each combine Han with their own scripts.
const WRITING_SYSTEMS: readonly (readonly [string, RegExp])[] = [
  ...SCRIPTS.map(script => [script, new RegExp(`^\\p{Script_Extensions=${script}}$`, 'u')] as const),
  ['Japanese', /^[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}]$/u],
  ['Korean', /^[\p{scx=Han}\p{scx=Hang}]$/u],
  ['Taiwanese', /^[\p{scx=Han}\p{scx=Bopo}]$/u],
]
const COMMON = /^[\p{scx=Common}\p{scx=Inherited}]$/u
const KNOWN = new RegExp(`^[${[...SCRIPTS, ...EAST_ASIAN].map(script => `\\p{Script_Extensions=${script}}`).join('')}]$`, 'u')

/** Whether no single script (or East Asian writing system) covers all characters of `text` (UTS #39 §5.1). */
export function isMixedScript(text: string): boolean {
  const chars = Array.from(text).filter(char => !COMMON.test(char))
  if (chars.every(char => !KNOWN.test(char))) return false
  return !WRITING_SYSTEMS.some(([, pattern]) => chars.every(char => pattern.test(char)))
}
