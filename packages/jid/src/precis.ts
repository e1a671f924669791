/**
 * The two PRECIS profiles an XMPP address needs (RFC 8265): UsernameCaseMapped for localparts, OpaqueString for
 * resourceparts. A profile is a mapping followed by a check of the string class; RFC 8264 §7 has the mapping
 * repeated until the text stops changing and refuses text that never does, which makes preparation idempotent.
 */
import { bidiRuleHolds } from './bidi-rule.ts'
import { contextRulesHold } from './context-rules.ts'
import { precisProperty } from './derived-property.ts'
import { JidError } from './jid-error.ts'
import type { JidPart } from './jid-error.ts'

// RFC 8264 §7: the first application and up to three more.
const APPLICATIONS_MAX = 4
const WIDE_OR_NARROW = /[\u3000\uff01-\uffee]/
const NON_ASCII_SPACE = /(?! )\p{Zs}/gu

function mapWidth(text: string): string {
  if (!WIDE_OR_NARROW.test(text)) return text
  // Fullwidth and halfwidth forms decompose one to one; nothing else is touched (RFC 8265 §3.3.2 step 1).
  return text.replace(/[\u3000\uff01-\uffee]/g, char => char.normalize('NFKC'))
}

function checkClass(part: JidPart, text: string, mayBeFree: boolean): void {
  for (const char of text) {
    const property = precisProperty(char)
    if (property === 'disallowed' || (property === 'free' && !mayBeFree)) throw new JidError(part, 'disallowed')
  }
}

/** Applies `map` until the text no longer changes; throws JidError when four applications do not suffice. */
export function untilStable(part: JidPart, text: string, map: (text: string) => string): string {
  let current = text
  for (let application = 0; application < APPLICATIONS_MAX; application++) {
    const next = map(current)
    if (next === current) return current
    current = next
  }
  throw new JidError(part, 'unstable')
}

/** Enforces UsernameCaseMapped (RFC 8265 §3.3); throws JidError naming `part`. */
export function enforceUsernameCaseMapped(part: JidPart, text: string): string {
  if (!text.isWellFormed()) throw new JidError(part, 'malformed')
  const widthMapped = mapWidth(text)
  // The class is checked before case mapping and NFC, which could hide a disallowed code point, and again after.
  checkClass(part, widthMapped, false)
  const prepared = untilStable(part, widthMapped, t => mapWidth(t).toLowerCase().normalize('NFC'))
  checkClass(part, prepared, false)
  // Only now: the neighbours that a contextual rule asks for may be an upper-case L before mapping.
  if (!contextRulesHold(prepared)) throw new JidError(part, 'context')
  if (!bidiRuleHolds(prepared)) throw new JidError(part, 'bidi')
  return prepared
}

/** Enforces OpaqueString (RFC 8265 §4.2): case kept, every space becomes U+0020; throws JidError naming `part`. */
export function enforceOpaqueString(part: JidPart, text: string): string {
  if (!text.isWellFormed()) throw new JidError(part, 'malformed')
  checkClass(part, text, true)
  const prepared = untilStable(part, text, t => t.replace(NON_ASCII_SPACE, ' ').normalize('NFC'))
  checkClass(part, prepared, true)
  if (!contextRulesHold(prepared)) throw new JidError(part, 'context')
  return prepared
}
