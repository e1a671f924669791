/**
 * Options that accepted sockets have from the one that listens.
 *
 * Node sets `noDelay` and `keepAlive` on each socket that it accepts, which takes two calls into C++ and four into the kernel. On
 * Linux a socket is accepted with the options of its listener, so setting them there once does the same. The place is no public
 * interface; where anything is not as expected, Node goes on as before.
 */
import type { Server } from 'node:net'

const HANDLE = '_handle'

interface Handle {
  setNoDelay(isOn: boolean): number
  setKeepAlive(isOn: boolean, delaySeconds: number): number
}
interface Options {
  noDelay: boolean
  keepAlive: boolean
  /** Seconds. */
  keepAliveInitialDelay: number
}

/** Lets the sockets of a server that listens inherit what it was told to set on each; false where Node goes on setting it. */
export function inheritOptions(server: Server): boolean {
  if (process.platform !== 'linux') return false
  const options = server as unknown as Partial<Options>
  const handle = (server as unknown as Partial<Record<typeof HANDLE, Partial<Handle> | null>>)[HANDLE]
  const { noDelay, keepAlive, keepAliveInitialDelay } = options
  if (noDelay !== true || keepAlive !== true || keepAliveInitialDelay === undefined) return false
  if (handle?.setNoDelay?.(true) !== 0 || handle.setKeepAlive?.(true, keepAliveInitialDelay) !== 0) return false
  options.noDelay = false
  options.keepAlive = false
  return true
}
