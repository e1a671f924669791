/**
 * Functions of the C libraries that the process has loaded anyway: libc, and the OpenSSL inside of Node.
 *
 * `node:ffi` is experimental, Node is pinned (ADR 0001, 0020), and a Node without it has everything all the same, only slower: whoever
 * asks here has another way. A wrong signature corrupts memory, so they stand in few places: `write-ring.ts`, `hung-up.ts`, `heap-policy.ts` and
 * `server/edge/tls-records/aead-native.ts`.
 */
import type ffi from 'node:ffi'

export type ForeignFunctions = typeof ffi

let found: ForeignFunctions | undefined
let isLookedFor = false

/** `node:ffi`, where there is one. It warns once that it is experimental, which is known here. */
export function foreignFunctions(): ForeignFunctions | undefined {
  if (isLookedFor) return found
  isLookedFor = true
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    found = process.getBuiltinModule('node:ffi')
  } finally {
    process.emitWarning = emitWarning
  }
  return found
}
