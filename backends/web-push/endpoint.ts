/**
 * Which endpoints may be contacted. People name them, so that without a rule anybody with an account could have the
 * server speak to whatever stands in its own network.
 *
 * Addresses are judged when the connection is made, on the very answer of the resolver that is used: a name that is
 * public when it is checked and private when it is used gets nothing.
 */
import { lookup as resolve } from 'node:dns'
import type { LookupAddress } from 'node:dns'
import { BlockList, isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import { WebPushError } from '@rollcall/ports'

const ENDPOINT_CHARACTERS_MAX = 2048

// RFC 6890 and its successors in IANA's registry of special-purpose addresses.
const special4 = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24],
  ['192.0.2.0', 24], ['192.88.99.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24],
  ['224.0.0.0', 4], ['240.0.0.0', 4],
] as const) special4.addSubnet(network, bits, 'ipv4')

// Everything outside of 2000::/3 is special; of what is inside, documentation and the networks that carry IPv4 within.
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')
const special6 = new BlockList()
for (const [network, bits] of [['2001::', 23], ['2001:db8::', 32], ['2002::', 16], ['3fff::', 20]] as const) special6.addSubnet(network, bits, 'ipv6')

/** Whether an IP address is one of the public Internet. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) return !special4.check(address, 'ipv4')
  return isIP(address) === 6 && global6.check(address, 'ipv6') && !special6.check(address, 'ipv6')
}

/** The endpoint as a URL; throws `WebPushError('refused')`. */
export function readEndpoint(endpoint: string, mayBePrivate: boolean): URL {
  const url = endpoint.length <= ENDPOINT_CHARACTERS_MAX && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (url === undefined) throw new WebPushError('refused', 'The endpoint is not a URL of at most 2048 characters')
  if (url.username !== '' || url.password !== '') throw new WebPushError('refused', 'The endpoint has a user name in it')
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const isLoopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && mayBePrivate && isLoopback)) {
    throw new WebPushError('refused', 'The endpoint is not an https URL')
  }
  if (!mayBePrivate && (isLoopback || (isIP(host) !== 0 && !isPublicAddress(host)))) {
    throw new WebPushError('refused', 'The endpoint is in a private network')
  }
  return url
}

/** Name resolution for a connection; fails for a name of which any address is not public. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => answerLookup(error, addresses, options.all === true, callback))
}

/** What the resolver found, handed on if all of it is public. */
export function answerLookup(
  error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[], isAll: boolean, callback: Parameters<LookupFunction>[2],
): void {
  const fault = error ?? faultOf(addresses)
  const [first] = addresses
  if (fault !== undefined || first === undefined) return callback(fault ?? new WebPushError('unreachable', 'The name has no address'), '')
  if (isAll) callback(null, [...addresses])
  else callback(null, first.address, first.family)
}

function faultOf(addresses: readonly LookupAddress[]): WebPushError | undefined {
  return addresses.every(({ address }) => isPublicAddress(address)) ? undefined : new WebPushError('refused', 'The endpoint is in a private network')
}
