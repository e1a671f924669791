/** Who is at the other end of a connection: the first record in each direction. */
import { wireJson } from '@rollcall/ports'
import type { MemberId } from '@rollcall/ports'
import { MARK, record } from './records.ts'

/** Version of records and hello; peers with another do not talk to each other. */
export const FORMAT_VERSION = 1

/** A member as its peers know it. */
export interface PeerInfo {
  readonly memberId: MemberId
  /** Changes with every start of the member's process. */
  readonly bootId: string
  /** Version of its message table (`BusCodec.protocolVersion`). */
  readonly protocolVersion: number
}

/** `to`: whom the sender means to talk to. */
export function helloRecord(own: PeerInfo, to: MemberId): string {
  return record(MARK.hello, wireJson({ format: FORMAT_VERSION, protocol: own.protocolVersion, member: own.memberId, boot: own.bootId, to }))
}

/** Reads a hello that is meant for `self`; throws `Error` that says what is wrong with it. Unknown fields are ignored. */
export function readHello(text: string, self: MemberId): PeerInfo {
  const { format, protocol, member, boot, to } = JSON.parse(text) as Record<string, unknown>
  if (format !== FORMAT_VERSION) throw new Error(`the peer speaks format ${String(format)}, this member ${FORMAT_VERSION}`)
  if (typeof member !== 'string' || typeof boot !== 'string' || typeof protocol !== 'number') throw new Error('hello of no member')
  if (to !== self) throw new Error(`hello for ${String(to)}`)
  return { memberId: member, bootId: boot, protocolVersion: protocol }
}
