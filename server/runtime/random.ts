/** The real randomness: node:crypto, with a pool so that an id costs a slice and not a system call. */
import { randomBytes, randomFillSync, randomUUID } from 'node:crypto'
import type { Random } from '@rollcall/ports'

/** 96 bits: 16 characters of base64url. */
const ID_BYTES = 12
const POOL_BYTES = ID_BYTES * 1024

export function realRandom(): Random {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
  let at = POOL_BYTES
  return {
    // A plain copy: a view of Node's shared pool would carry others' bytes along when it is transferred.
    bytes: count => new Uint8Array(randomBytes(count)),
    id() {
      if (at === POOL_BYTES) {
        randomFillSync(pool)
        at = 0
      }
      at += ID_BYTES
      return pool.toString('base64url', at - ID_BYTES, at)
    },
    uuid: () => randomUUID(),
    fraction: () => Math.random(),
  }
}
