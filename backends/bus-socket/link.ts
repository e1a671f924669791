/**
 * One life of a peer: the connection that it writes to us and the one that we write to it, with one of its processes.
 *
 * What is sent in one turn gathers in one string and is written once, when the turn ends or when it has grown long. While
 * the kernel does not take what was written, the next gathers behind it; a peer that lets more than `bufferCharsMax`
 * gather does not read any more and is given up.
 */
import type { Socket } from 'node:net'
import { wireJson, varint } from '@rollcall/ports'
import type { BusDecoder, BusEncoder, BusError, BusMessage, WireReader } from '@rollcall/ports'
import type { PeerInfo } from './hello.ts'
import { MARK, messageHead, record } from './records.ts'

/** A longer text is written before the turn ends. Below the 64 KiB from which a socket asks its writer to wait. */
const WRITE_CHARS = 60_000
/** How long a peer that does not read any more is heard out. */
const LAST_WORDS_MS = 1000

/** What a link tells the bus that it belongs to. */
export interface LinkOwner {
  readonly bufferCharsMax: number
  after(delayMs: number, callback: () => void): void
  /** The link has something to write when the turn ends. */
  flushSoon(link: Link): void
  dispatch(link: Link, mark: number, reader: WireReader): void
  /** Once, when both connections are there. */
  linkUp(link: Link): void
  /** Once, whether it was up or not. */
  linkEnded(link: Link, why: string): void
}

export class Link {
  readonly peer: PeerInfo
  readonly encoder: BusEncoder
  readonly decoder: BusDecoder
  isUp = false
  isEnded = false
  sentCount = 0
  receivedCount = 0
  readonly #owner: LinkOwner
  #inbound: Socket | undefined
  #outbound: Socket | undefined
  #out = ''
  #isFlushAsked = false
  #isBlocked = false
  /** To be called when the kernel has what gathers behind a write that it has not taken. */
  #whenWritten: (() => void)[] = []

  constructor(owner: LinkOwner, peer: PeerInfo, encoder: BusEncoder, decoder: BusDecoder) {
    this.#owner = owner
    this.peer = peer
    this.encoder = encoder
    this.decoder = decoder
  }

  get hasInbound(): boolean {
    return this.#inbound !== undefined
  }

  get hasOutbound(): boolean {
    return this.#outbound !== undefined
  }

  get bufferedChars(): number {
    return this.#out.length + (this.#outbound?.writableLength ?? 0)
  }

  /** The connection on which the peer writes. */
  setInbound(socket: Socket): void {
    this.#inbound = socket
    this.#look()
  }

  /** The connection on which it reads. */
  setOutbound(socket: Socket): void {
    this.#outbound = socket
    socket.on('drain', () => {
      this.#isBlocked = false
      this.flush()
    })
    // The answer to what was asked on the other connection before this one stood.
    this.flush()
    this.#look()
  }

  #look(): void {
    if (this.isUp || this.#inbound === undefined || this.#outbound === undefined) return
    this.isUp = true
    this.#owner.linkUp(this)
  }

  // ------------------------------------------------------------------------------------ output

  send(message: BusMessage): void {
    const body = this.encoder.message(message)
    this.sentCount++
    this.#put(messageHead(body.length) + body)
  }

  request(serial: number, message: BusMessage): void {
    this.#put(record(MARK.request, varint(serial) + this.encoder.message(message)))
  }

  reply(serial: number, value: unknown): void {
    this.#put(record(MARK.reply, varint(serial) + this.encoder.value(value)))
  }

  fail(serial: number, code: BusError['code'], text: string): void {
    this.#put(record(MARK.failure, varint(serial) + wireJson({ code, text })))
  }

  #put(text: string): void {
    if (this.isEnded) return
    this.#out += text
    if (this.#out.length >= WRITE_CHARS) {
      if (!this.#isBlocked) this.flush()
      else if (this.bufferedChars > this.#owner.bufferCharsMax) this.end('it does not read')
    } else if (!this.#isFlushAsked) {
      this.#isFlushAsked = true
      this.#owner.flushSoon(this)
    }
  }

  flush(): void {
    this.#isFlushAsked = false
    const outbound = this.#outbound
    if (this.#isBlocked || this.#out === '' || this.isEnded || outbound === undefined || outbound.destroyed) return
    const text = this.#out
    this.#out = ''
    if (this.#whenWritten.length === 0) {
      this.#isBlocked = !outbound.write(text, 'latin1')
      return
    }
    const waiting = this.#whenWritten
    this.#whenWritten = []
    this.#isBlocked = !outbound.write(text, 'latin1', (error) => { if (isNone(error)) for (const then of waiting) then() })
  }

  /** Writes what waits, and calls `then` when the kernel has all of it: what it has the peer reads, whatever becomes of us. */
  afterWritten(then: () => void): void {
    this.flush()
    if (this.isEnded || this.#outbound?.destroyed === true) return
    if (this.#out !== '') this.#whenWritten.push(then)
    else if (this.bufferedChars === 0) then()
    else (this.#outbound as Socket).write('', 'latin1', (error) => { if (isNone(error)) then() })
  }

  // ------------------------------------------------------------------------------------ input and end

  /** One record; false when the link ended meanwhile. */
  receive(mark: number, reader: WireReader): boolean {
    this.receivedCount++
    this.#owner.dispatch(this, mark, reader)
    return !this.isEnded
  }

  /** Writes what waits and says goodbye; the peer ends the link. */
  finish(): void {
    this.#isBlocked = false
    this.flush()
    this.#outbound?.end()
    if (this.#outbound === undefined) this.end('closed')
  }

  /** The connection on which the peer read has ended. When it died with something unread that is an error, and says nothing of what it wrote. */
  outboundEnded(why: string): void {
    this.#out = ''
    this.#whenWritten = []
    if (this.#inbound === undefined) this.end(why)
    else if (!this.isEnded) this.#owner.after(LAST_WORDS_MS, () => this.end(why))
  }

  end(why: string): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#out = ''
    this.#whenWritten = []
    this.#inbound?.destroy()
    this.#outbound?.destroy()
    this.#owner.linkEnded(this, why)
  }
}

/** Node says it both ways. */
function isNone(error: Error | null | undefined): boolean {
  return error === undefined || error === null
}
