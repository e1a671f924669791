/**
 * The real randomness: node:crypto, with a pool so that an id costs a slice and not a system call; and the pool becomes text in
 * pieces of many ids, for each call out of JavaScript costs more than an id.
 */
import { randomBytes, randomFillSync, randomUUID } from 'node:crypto'
import type { Random } from '@rollcall/ports'

/** 96 bits: 16 characters of base64url. */
const ID_BYTES = 12
const ID_CHARS = 16
const POOL_BYTES = ID_BYTES * 1024
/** An id keeps the text alive that it was cut from, so it is short. */
const IDS_PER_TEXT = 16

export function realRandom(): Random {
  const pool = Buffer.allocUnsafeSlow(POOL_BYTES)
  let poolAt = POOL_BYTES
  let text = ''
  let at = 0
  return {
    // A plain copy: a view of Node's shared pool would carry others' bytes along when it is transferred.
    bytes: count => new Uint8Array(randomBytes(count)),
    id() {
      if (at === text.length) {
        if (poolAt === POOL_BYTES) {
          randomFillSync(pool)
          poolAt = 0
        }
        text = pool.toString('base64url', poolAt, poolAt += IDS_PER_TEXT * ID_BYTES)
        at = 0
      }
      return text.substring(at, at += ID_CHARS)
    },
    uuid: () => randomUUID(),
    fraction: () => Math.random(),
  }
}
