/**
 * The directory in which members find each other: a Unix socket per member, named by its id.
 *
 * Whoever may enter the directory may speak for a member, so it is closed to everybody but the user of the process.
 */
import { mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { MemberId } from '@rollcall/ports'

const SUFFIX = '.sock'
/** `sun_path` of Linux is 108 bytes with its NUL, that of the BSDs 104. */
const PATH_BYTES_MAX = 103
const MEMBER_ID = /^[\w.-]{1,64}$/

/** Throws `Error` when the id cannot be a file name or the path is longer than a socket's may be. */
export function socketPath(directory: string, member: MemberId): string {
  if (!MEMBER_ID.test(member)) throw new Error(`member id ${JSON.stringify(member)}: 1 to 64 letters, digits, _ . - are allowed`)
  const path = join(directory, member + SUFFIX)
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw new Error(`${path}: longer than ${PATH_BYTES_MAX} bytes, the most a socket's path may have`)
  return path
}

/** Makes the directory, or makes sure that it is private; throws `Error` when others may enter it. */
export async function prepareDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const { mode } = await stat(directory)
  if ((mode & 0o077) !== 0) throw new Error(`${directory}: others may enter it; its mode must be 0700`)
}

/** Members that have a socket there, running or not. */
export async function membersIn(directory: string): Promise<MemberId[]> {
  const names = await readdir(directory)
  return names.filter(name => name.endsWith(SUFFIX)).map(name => name.slice(0, -SUFFIX.length)).filter(id => MEMBER_ID.test(id))
}

/** Removes the socket of a process that is gone; throws `Error` when somebody listens there. */
export async function clearStale(path: string): Promise<void> {
  const isTaken = await new Promise<boolean>((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => resolve(true))
    probe.once('error', () => resolve(false))
    probe.once('connect', () => probe.destroy())
  })
  if (isTaken) throw new Error(`${path}: a running member has this id`)
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}
