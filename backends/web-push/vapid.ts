/** How a server names itself to push services: a signed token and its public key (RFC 8292). */
import { createPrivateKey, sign } from 'node:crypto'
import type { VapidKeys } from '@rollcall/ports'
import { oneTimeKeys } from './encryption.ts'

/** RFC 8292 §2: at most a day. */
const LIFETIME_SECONDS = 12 * 3600
const PART_BYTES = 32

export function makeVapidKeys(): VapidKeys {
  const keys = oneTimeKeys()
  const secret = Buffer.alloc(PART_BYTES)
  // OpenSSL leaves leading zeros out.
  const raw = keys.getPrivateKey()
  raw.copy(secret, PART_BYTES - raw.length)
  return { publicKey: keys.getPublicKey().toString('base64url'), privateKey: secret.toString('base64url') }
}

export interface VapidClaims {
  /** Origin of the endpoint. */
  readonly audience: string
  readonly subject: string
  /** ms since the Unix epoch. */
  readonly now: number
}

/** The `Authorization` header (RFC 8292 §3). */
export function vapidHeader({ publicKey, privateKey }: VapidKeys, { audience, subject, now }: VapidClaims): string {
  const claims = { aud: audience, exp: Math.floor(now / 1000) + LIFETIME_SECONDS, ...(subject === '' ? {} : { sub: subject }) }
  const signed = `${encodePart({ typ: 'JWT', alg: 'ES256' })}.${encodePart(claims)}`
  const point = Buffer.from(publicKey, 'base64url')
  const jwk = {
    kty: 'EC', crv: 'P-256', d: privateKey,
    x: point.subarray(1, 1 + PART_BYTES).toString('base64url'), y: point.subarray(1 + PART_BYTES).toString('base64url'),
  }
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  // RFC 7518 §3.4: both numbers one after the other, not in DER.
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  return `vapid t=${signed}.${signature}, k=${publicKey}`
}

function encodePart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
