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

/** What a link tells the bus that it belongs to. */
export interface LinkOwner {
  readonly bufferCharsMax: number
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
    if (this.#isBlocked || this.#out === '' || this.isEnded) return
    const text = this.#out
    this.#out = ''
    this.#isBlocked = !(this.#outbound as Socket).write(text, 'latin1')
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

  end(why: string): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#out = ''
    this.#inbound?.destroy()
    this.#outbound?.destroy()
    this.#owner.linkEnded(this, why)
  }
}
