/**
 * The client's side of SCRAM (RFC 5802, RFC 7677) and PLAIN. Keys are remembered by hash, salt, iterations and password:
 * thousands of test accounts that share salt and password cost one derivation, and a client that logs in again costs none.
 */
import { createHash, createHmac, pbkdf2 } from 'node:crypto'

const HASHES = { 'SCRAM-SHA-512': 'sha512', 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-1': 'sha1' } as const
const HASH_BYTES = { sha512: 64, sha256: 32, sha1: 20 } as const
type ScramMechanism = keyof typeof HASHES
type HashName = (typeof HASHES)[ScramMechanism]

export type Mechanism = ScramMechanism | 'PLAIN'
/** Strongest first. */
export const mechanisms: readonly Mechanism[] = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN']

/** A server that asks for more is not waited for. */
const ITERATIONS_MAX = 1_000_000
const KEYS_MAX = 262_144
const GS2_HEADER = 'n,,'

interface Keys {
  readonly clientKey: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** Derived keys of a run. */
export type KeyCache = Map<string, Promise<Keys>>

/** One authentication; `respond` rejects when the server's message is wrong. */
export class ScramExchange {
  readonly first: string
  private readonly hash: HashName
  private readonly nonce: string
  private readonly password: string
  private readonly cache: KeyCache
  private readonly bareFirst: string
  private expected = ''

  constructor(mechanism: ScramMechanism, name: string, password: string, nonce: string, cache: KeyCache) {
    this.hash = HASHES[mechanism]
    this.nonce = nonce
    this.password = password
    this.cache = cache
    this.bareFirst = `n=${name.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
    this.first = GS2_HEADER + this.bareFirst
  }

  /** The answer to the server's first message. */
  async respond(challenge: string): Promise<string> {
    const fields = new Map(challenge.split(',').map((field) => [field.slice(0, 2), field.slice(2)]))
    const nonce = fields.get('r=') ?? ''
    const iterations = Number(fields.get('i='))
    const isSound = nonce.startsWith(this.nonce) && fields.has('s=') && iterations >= 1 && iterations <= ITERATIONS_MAX
    if (!isSound) throw new Error(`bad SCRAM challenge: ${challenge}`)
    const keys = await this.keysFor(fields.get('s=')!, iterations)
    const unproved = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${nonce}`
    const signed = `${this.bareFirst},${challenge},${unproved}`
    const proof = hmac(this.hash, keys.storedKey, signed)
    for (let at = 0; at < proof.length; at++) proof[at]! ^= keys.clientKey[at]!
    this.expected = `v=${hmac(this.hash, keys.serverKey, signed).toString('base64')}`
    return `${unproved},p=${proof.toString('base64')}`
  }

  /** Whether the server has proved that it knows the password too. */
  isProved(serverFinal: string): boolean {
    return this.expected !== '' && serverFinal.split(',')[0] === this.expected
  }

  private keysFor(salt: string, iterations: number): Promise<Keys> {
    const { cache, hash, password } = this
    const key = `${hash} ${salt} ${iterations} ${password}`
    const known = cache.get(key)
    if (known !== undefined) return known
    const keys = deriveKeys(hash, password, Buffer.from(salt, 'base64'), iterations)
    if (cache.size < KEYS_MAX) cache.set(key, keys)
    return keys
  }
}

/** The only message of PLAIN (RFC 4616). */
export function plainMessage(name: string, password: string): string {
  return `\0${name}\0${password}`
}

function hmac(hash: HashName, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text).digest()
}

function deriveKeys(hash: HashName, password: string, salt: Buffer, iterations: number): Promise<Keys> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, HASH_BYTES[hash], hash, (error, salted) => {
      if (error !== null) return reject(error)
      const clientKey = hmac(hash, salted, 'Client Key')
      resolve({ clientKey, storedKey: createHash(hash).update(clientKey).digest(), serverKey: hmac(hash, salted, 'Server Key') })
    })
  })
}
