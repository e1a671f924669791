/**
 * IP address literals as domainparts (RFC 7622 §3.2): dotted IPv4 and bracketed IPv6. IPv6 is rewritten to its
 * RFC 5952 text so that one address is one JID. Zone identifiers are refused (RFC 9844), and so are IPv4 forms
 * with leading zeros or fewer than four parts, which resolvers read in different ways.
 */

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/

/** Whether `text` is a strict dotted-quad IPv4 address. */
export function isIpv4(text: string): boolean {
  return IPV4.test(text)
}

function parseGroups(text: string): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  for (const group of text.split(':')) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return undefined
    groups.push(Number.parseInt(group, 16))
  }
  return groups
}

/** Rewrites a trailing dotted quad as two hexadecimal groups. */
function expandDottedTail(text: string): string | undefined {
  const at = text.lastIndexOf(':') + 1
  const tail = text.slice(at)
  if (!tail.includes('.')) return text
  if (!isIpv4(tail)) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number)
  return `${text.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

function eightGroups(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] ?? '')
  if (head === undefined) return undefined
  if (halves.length === 1) return head.length === 8 ? head : undefined
  const tail = parseGroups(halves[1] ?? '')
  if (tail === undefined || head.length + tail.length > 7) return undefined
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

function longestZeroRun(groups: readonly number[]): { start: number, length: number } {
  let best = { start: 0, length: 1 }
  let length = 0
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0
    if (length > best.length) best = { start: index - length + 1, length }
  }
  return best
}

/** The RFC 5952 form of an IPv6 address without brackets, or undefined when it is not one. */
export function canonicalIpv6(text: string): string | undefined {
  const hexadecimal = expandDottedTail(text)
  const groups = hexadecimal === undefined ? undefined : eightGroups(hexadecimal)
  if (groups === undefined) return undefined
  const written = groups.map(group => group.toString(16))
  const zeros = longestZeroRun(groups)
  // RFC 5952 §4.2.2: a single zero group is never shortened.
  if (zeros.length < 2) return written.join(':')
  return `${written.slice(0, zeros.start).join(':')}::${written.slice(zeros.start + zeros.length).join(':')}`
}
