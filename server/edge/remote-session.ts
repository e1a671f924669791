/**
 * What an edge keeps of a session whose core is another member, so that the session can go on when that member dies
 * (ADR 0012): the core's own record of it, which edges do not look into, and the counters of stream management, which only
 * the edge can know at that moment. Nothing of it exists where edge and core are one member.
 */
import { flatCopy } from '@rollcall/ports'
import type { MemberId } from '@rollcall/ports'
import type { SessionState, StreamMirror } from '../protocol/member-messages.ts'
import { Stamps } from '../protocol/stamps.ts'
import type { Digest } from '../protocol/stamps.ts'

/**
 * Messages are remembered for a while after they were written: the position in the account's log up to which they count as
 * delivered is stored a little later, and the next core begins there. Longer than that, in ms.
 */
const RECENT_MS = 5_000
const RECENT_MAX = 500

interface Recent {
  readonly wire: string
  readonly atMs: number
}

export class RemoteSession {
  /** '' until the core has told. */
  record = ''
  /** The core that told last. */
  teller: MemberId = ''
  /** Stanzas of the client since its stream management began. */
  received = 0
  #stamps: Stamps | undefined
  /** Of a client with stream management. */
  #stream: Omit<StreamMirror, 'handled' | 'acked' | 'unacked'> | undefined
  #acked = 0
  #unacked: string[] = []
  #recent: Recent[] = []

  /** Whether the counters run. */
  get isManaged(): boolean {
    return this.#stream !== undefined
  }

  /** The core tells. `isFresh`: nothing of the client went to this core yet. */
  update(from: MemberId, { isMoved, record, stream }: SessionState, isFresh: boolean): void {
    this.record = record
    this.teller = from
    if (stream === undefined) return
    const { acked, handled, resumeMs, token, unacked } = stream
    if (this.#stream?.token !== token) this.#stamps = undefined
    this.#stream = { token, resumeMs }
    this.#acked = acked
    this.#unacked = [...unacked]
    if (isFresh || isMoved === true) this.received = handled
  }

  /** Stamp of the message that the client sent last; '' where its stream cannot be resumed. */
  stamp(digestOf: Digest): string {
    if (this.#stream === undefined || this.#stream.token === '') return ''
    return (this.#stamps ??= new Stamps(digestOf, this.#stream.token)).of(this.received)
  }

  /** A wire string was given to the client. */
  delivered(wire: string, nowMs: number): void {
    // Of all that cores send to clients only stanzas begin so.
    const kind = wire.charCodeAt(1)
    if (kind !== M && kind !== P && kind !== I) return
    // What the bus delivers is a slice: kept as it is, 300 bytes would hold on to all of the 64 KiB that came with them.
    if (this.#stream !== undefined) this.#unacked.push(flatCopy(wire))
    else if (kind === M) this.#remember(flatCopy(wire), nowMs)
  }

  /** The client acknowledged `h` stanzas. */
  acknowledged(h: number, nowMs: number): void {
    const count = (h - this.#acked) | 0
    if (count <= 0 || count > this.#unacked.length) return
    for (const wire of this.#unacked.splice(0, count)) if (wire.charCodeAt(1) === M) this.#remember(wire, nowMs)
    this.#acked = h >>> 0
  }

  /** `unconfirmed`: stanzas of the client that the core may not have handled. */
  stream(unconfirmed: number): StreamMirror | undefined {
    if (this.#stream === undefined) return undefined
    return { ...this.#stream, handled: (this.received - unconfirmed) >>> 0, acked: this.#acked, unacked: this.#unacked }
  }

  /** Messages that the client got in the last seconds. */
  recent(nowMs: number): string[] {
    return this.#recent.filter(({ atMs }) => nowMs - atMs <= RECENT_MS).map(({ wire }) => wire)
  }

  #remember(wire: string, nowMs: number): void {
    const oldest = this.#recent[0]
    if (oldest !== undefined && (nowMs - oldest.atMs > 2 * RECENT_MS || this.#recent.length >= RECENT_MAX)) {
      const young = this.#recent.filter(({ atMs }) => nowMs - atMs <= RECENT_MS)
      this.#recent = young.length < RECENT_MAX ? young : young.slice(young.length / 2)
    }
    this.#recent.push({ wire, atMs: nowMs })
  }
}

const M = 109
const P = 112
const I = 105
