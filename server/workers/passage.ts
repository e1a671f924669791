/**
 * The ways that clients' sockets take between workers: a folder with a Unix socket for each worker, and a line from each to
 * each (`runtime/socket-line.ts`). Nobody is in between, and nothing is confirmed: a client that is on its way to a worker
 * that dies is lost with it, as all of its clients are.
 *
 * What goes over a line may be the keys of a client's TLS. So the folder is for the user of the server alone, as those of bus and storage
 * are, and what was written and read is overwritten.
 */
import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Log, MemberId } from '@rollcall/ports'
import type { Guest, Passage } from '../edge/guest.ts'
import { connectLine, hasSocketLines, landSockets } from '../runtime/index.ts'
import type { Conduit, PassedSocket, SocketLanding, SocketLine } from '../runtime/index.ts'

export interface PassagePorts {
  readonly memberId: MemberId
  /** Of all members; made when it is not there. */
  readonly directory: string
  readonly log: Log
  /** A client that has come; may close its connection. */
  readonly takeIn: (guest: Guest, conduit: Conduit) => void
}

/** Opens the way to this worker; undefined where Node has no lines for sockets. Rejects when the folder cannot be used. */
export async function openPassage(ports: PassagePorts): Promise<WorkerPassage | undefined> {
  if (!hasSocketLines) return undefined
  await mkdir(ports.directory, { recursive: true })
  await chmod(ports.directory, 0o700)
  return new WorkerPassage(ports)
}

export class WorkerPassage implements Passage {
  readonly #ports: PassagePorts
  readonly #landing: SocketLanding
  readonly #lines = new Map<MemberId, SocketLine>()

  constructor(ports: PassagePorts) {
    this.#ports = ports
    this.#landing = landSockets({
      path: this.#pathOf(ports.memberId),
      received: (bytes, conduit) => this.#received(bytes, conduit),
      broken: (why) => ports.log.warn('passage-broken', { why }),
    })
  }

  /** Another worker is there, and listens already. */
  connect(member: MemberId): void {
    if (this.#lines.has(member)) return
    const line: SocketLine = connectLine(this.#pathOf(member), () => {
      if (this.#lines.get(member) === line) this.#lines.delete(member)
    })
    this.#lines.set(member, line)
  }

  /** It is gone and does not come back under its name. */
  forget(member: MemberId): void {
    this.#lines.get(member)?.close()
    this.#lines.delete(member)
    void rm(this.#pathOf(member), { force: true }).catch((error: unknown) => this.#ports.log.warn('passage-not-removed', { member, error }))
  }

  isOpenTo(member: MemberId): boolean {
    const line = this.#lines.get(member)
    // One that broke although both live is made again for the next client.
    if (line === undefined) this.connect(member)
    return line?.isOpen === true
  }

  pass(to: MemberId, guest: Guest, socket: PassedSocket): void {
    const line = this.#lines.get(to)
    if (line === undefined) socket.handle.close()
    else line.send(serialize(guest), socket)
    if (guest.tls === undefined) return
    for (const { iv, key, secret } of [guest.tls.read, guest.tls.write]) for (const bytes of [secret, key, iv]) bytes.fill(0)
  }

  close(): void {
    this.#landing.close()
    for (const line of this.#lines.values()) line.close()
    this.#lines.clear()
  }

  #received(bytes: Uint8Array, conduit: Conduit): void {
    try {
      this.#ports.takeIn(deserialize(bytes) as Guest, conduit)
    } catch (error) {
      this.#ports.log.error('guest-refused', { error })
      conduit.destroy()
    }
  }

  #pathOf(member: MemberId): string {
    return join(this.#ports.directory, `${member}.sock`)
  }
}
