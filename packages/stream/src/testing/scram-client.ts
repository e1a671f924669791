/** A client's side of SCRAM, written from RFC 5802 apart from the server's, and checked with the RFCs' own exchanges. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { SaslCrypto, ScramHash } from '../sasl/sasl.ts'

const names: Record<ScramHash, string> = { 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512' }
const lengths: Record<ScramHash, number> = { 'SHA-1': 20, 'SHA-256': 32, 'SHA-512': 64 }

/** Primitives by the plainest calls there are. */
export const testCrypto: SaslCrypto = {
  hash: (hash, data) => createHash(names[hash]).update(data).digest(),
  hmac: (hash, key, data) => createHmac(names[hash], key).update(data).digest(),
  randomBytes,
  timingSafeEqual: (one, other) => one.length === other.length && timingSafeEqual(one, other),
  pbkdf2: (hash, password, salt, iterations) =>
    Promise.resolve(pbkdf2Sync(password, salt, iterations, lengths[hash], names[hash])),
}

export interface ScramClientOptions {
  readonly hash: ScramHash
  readonly username: string
  readonly password: string
  readonly nonce?: string
  /** Default `n`. */
  readonly flag?: string
  readonly bindingData?: Uint8Array
  readonly authzid?: string
}

export interface ScramClient {
  readonly first: string
  /** The final message for a challenge. */
  final(challenge: string): string
  /** Whether `v=…` proves that the server knows the password. */
  isServer(final: string): boolean
}

const escaped = (name: string): string => name.replaceAll('=', '=3D').replaceAll(',', '=2C')

export function scramClient(options: ScramClientOptions): ScramClient {
  const { hash, username, password, bindingData = new Uint8Array(0) } = options
  const header = `${options.flag ?? 'n'},${options.authzid === undefined ? '' : `a=${escaped(options.authzid)}`},`
  const bare = `n=${escaped(username)},r=${options.nonce ?? 'fyko+d2lbbFgONRv9qkxdawL'}`
  let expected = ''
  return {
    first: header + bare,
    final(challenge) {
      const match = /^r=([^,]+),s=([^,]+),i=(\d+)(?:,[a-z]=[^,]+)*$/.exec(challenge)
      if (match === null) throw new Error(`not a challenge: ${challenge}`)
      const [, nonce, salt = '', iterations] = match
      const salted = pbkdf2Sync(password, Buffer.from(salt, 'base64'), Number(iterations), lengths[hash], names[hash])
      const clientKey = testCrypto.hmac(hash, salted, Buffer.from('Client Key'))
      const binding = Buffer.concat([Buffer.from(header), bindingData]).toString('base64')
      const withoutProof = `c=${binding},r=${nonce}`
      const authMessage = Buffer.from(`${bare},${challenge},${withoutProof}`)
      const signature = testCrypto.hmac(hash, testCrypto.hash(hash, clientKey), authMessage)
      const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))
      const serverKey = testCrypto.hmac(hash, salted, Buffer.from('Server Key'))
      expected = `v=${Buffer.from(testCrypto.hmac(hash, serverKey, authMessage)).toString('base64')}`
      return `${withoutProof},p=${proof.toString('base64')}`
    },
    isServer: final => final === expected,
  }
}
