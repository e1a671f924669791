/**
 * Preparation of the three parts of an address (RFC 7622 §3.2 to §3.4). Nearly all addresses are ASCII, so each
 * part first tries one pass over its char codes that either proves the text already prepared (or lower-cases
 * it) or hands over to PRECIS or IDNA; both ways give the same result where they overlap, which a test checks.
 */
import tr46 from 'tr46'
import { contextRulesHold } from './context-rules.ts'
import { idnaProperty } from './derived-property.ts'
import { canonicalIpv6, isIpv4 } from './ip-literal.ts'
import { JidError } from './jid-error.ts'
import type { JidPart } from './jid-error.ts'
import { enforceOpaqueString, enforceUsernameCaseMapped } from './precis.ts'
import { utf8Length } from './wire.ts'

/** Longest prepared part, in bytes of UTF-8 (RFC 7622 §3.1). */
export const PART_BYTES_MAX = 1023
/** Longest part looked at, in UTF-16 units; no preparation shrinks text below a third, so longer cannot fit. */
export const PART_UNITS_MAX = 3 * PART_BYTES_MAX
const LABEL_OCTETS_MAX = 63

const LOCAL_OK = 1
const LOCAL_UPPER = 2
const DOMAIN_OK = 4
const DOMAIN_UPPER = 8
const RESOURCE_OK = 16

const asciiFlags = (() => {
  const flags = new Uint8Array(128)
  for (let code = 0x20; code < 0x7f; code++) {
    const char = String.fromCharCode(code)
    let flag = RESOURCE_OK
    // RFC 7622 §3.3.1 excludes eight characters and, as PRECIS does, the space.
    if (!' "&\'/:<>@'.includes(char)) flag |= LOCAL_OK
    if (/[A-Z]/.test(char)) flag |= LOCAL_UPPER | DOMAIN_UPPER
    if (/[a-zA-Z0-9.-]/.test(char)) flag |= DOMAIN_OK
    flags[code] = flag
  }
  return flags
})()

/** Ors and ands the flags of all characters: `all` holds for every one, `some` for at least one; 0 if not ASCII. */
function scan(text: string): { all: number, some: number } {
  let all = 0xff
  let some = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const flag = code < 128 ? asciiFlags[code] ?? 0 : 0
    all &= flag
    some |= flag
  }
  return { all, some }
}

function checkRawLength(part: JidPart, text: string): void {
  if (text.length === 0) throw new JidError(part, 'empty')
  if (text.length > PART_UNITS_MAX) throw new JidError(part, 'too-long')
}

function checkPreparedLength(part: JidPart, text: string): string {
  if (text.length === 0) throw new JidError(part, 'empty')
  if (utf8Length(text) > PART_BYTES_MAX) throw new JidError(part, 'too-long')
  return text
}

const EXCLUDED_FROM_LOCALPART = /["&'/:<>@]/

/** Prepares a localpart: UsernameCaseMapped without the characters RFC 7622 §3.3.1 excludes; throws JidError. */
export function prepareLocalpart(text: string): string {
  checkRawLength('localpart', text)
  const { all, some } = scan(text)
  if (all & LOCAL_OK) return checkPreparedLength('localpart', some & LOCAL_UPPER ? text.toLowerCase() : text)
  const prepared = enforceUsernameCaseMapped('localpart', text)
  if (EXCLUDED_FROM_LOCALPART.test(prepared)) throw new JidError('localpart', 'disallowed')
  return checkPreparedLength('localpart', prepared)
}

/** Prepares a resourcepart: OpaqueString, case and spaces kept (RFC 7622 §3.4); throws JidError. */
export function prepareResourcepart(text: string): string {
  checkRawLength('resourcepart', text)
  const prepared = scan(text).all & RESOURCE_OK ? text : enforceOpaqueString('resourcepart', text)
  return checkPreparedLength('resourcepart', prepared)
}

const NR_LDH_LABEL = /^(?!..--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/
const LAST_LABEL_NUMERIC = /(?:^|\.)[0-9]+$/

/** Whether a name of LDH characters has valid labels only, none of which asks for IDNA (`xn--`). */
function isPlainHostName(text: string): boolean {
  let start = 0
  for (let i = 0; i <= text.length; i++) {
    const code = text.charCodeAt(i)
    if (i < text.length && code !== 0x2e) continue
    const length = i - start
    if (length === 0 || length > LABEL_OCTETS_MAX) return false
    if (text.charCodeAt(start) === 0x2d || text.charCodeAt(i - 1) === 0x2d) return false
    if (text.charCodeAt(start + 2) === 0x2d && text.charCodeAt(start + 3) === 0x2d) return false
    start = i + 1
  }
  return true
}

function checkLabel(label: string): void {
  if (label === '') throw new JidError('domainpart', 'label')
  if (NR_LDH_LABEL.test(label)) {
    if (label.length > LABEL_OCTETS_MAX) throw new JidError('domainpart', 'label')
    return
  }
  for (const char of label) {
    if (idnaProperty(char) === 'disallowed') throw new JidError('domainpart', 'disallowed')
  }
  if (!contextRulesHold(label)) throw new JidError('domainpart', 'context')
  const encoded = tr46.toASCII(label, UTS46)
  // A U-label whose A-label exceeds 63 octets is none (RFC 5890 §2.3.2.1).
  if (encoded === null || encoded.length > LABEL_OCTETS_MAX) throw new JidError('domainpart', 'label')
}

// Every UTS #46 check on: what is left to check is IDNA2008's smaller repertoire and CONTEXTO.
const UTS46 = { checkHyphens: true, checkBidi: true, checkJoiners: true, useSTD3ASCIIRules: true } as const

/** The prepared form of an ASCII host name without `xn--` labels, or undefined when it takes IDNA to say. */
function preparePlainHostName(text: string): string | undefined {
  const { all, some } = scan(text)
  if (!(all & DOMAIN_OK)) return undefined
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (!isPlainHostName(name)) return undefined
  return some & DOMAIN_UPPER ? name.toLowerCase() : name
}

function prepareHostName(text: string): string {
  if (!text.isWellFormed()) throw new JidError('domainpart', 'malformed')
  const { domain, error } = tr46.toUnicode(text, UTS46)
  if (error) throw new JidError('domainpart', 'label')
  // RFC 7622 §3.2: one trailing dot, the DNS root, is dropped; mapped first, for there are other full stops.
  const name = domain.endsWith('.') ? domain.slice(0, -1) : domain
  if (name === '') throw new JidError('domainpart', 'empty')
  for (const label of name.split('.')) checkLabel(label)
  return name
}

function prepareIpLiteral(text: string): string {
  const canonical = text.endsWith(']') && text.length <= 64 ? canonicalIpv6(text.slice(1, -1)) : undefined
  if (canonical === undefined) throw new JidError('domainpart', 'address')
  return `[${canonical}]`
}

/**
 * Prepares a domainpart: host name as NR-LDH labels and U-labels without a trailing dot, IPv4, or bracketed IPv6
 * (RFC 7622 §3.2); throws JidError. Labels are held to DNS's 63 octets, names to 1023 bytes, not to DNS's 253.
 */
export function prepareDomainpart(text: string): string {
  checkRawLength('domainpart', text)
  if (text.charCodeAt(0) === 0x5b) return prepareIpLiteral(text)
  const name = preparePlainHostName(text) ?? prepareHostName(text)
  // No top-level domain is all digits: such text is an IPv4 address or a disguise of one.
  if (LAST_LABEL_NUMERIC.test(name) && !isIpv4(name)) throw new JidError('domainpart', 'address')
  return checkPreparedLength('domainpart', name)
}
