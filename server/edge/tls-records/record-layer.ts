/**
 * The record protocol of an established TLS 1.3 connection, the server's side (RFC 8446 §4.6.3, §5, §6).
 *
 * It begins where OpenSSL left off (`HandOver`) and does what a kernel does with TLS: records, key updates, alerts. An idle
 * one is two keys. Nothing is shared between connections but a nonce that lives for one line.
 */
import { TrafficKey, cipherSuites } from './key-schedule.ts'
import type { TrafficState } from './key-schedule.ts'
import {
  ALERT, APPLICATION_DATA, CLOSE_NOTIFY, CONTENT_BYTES_MAX, DECODE_ERROR, HANDSHAKE, HEADER_BYTES, ILLEGAL_PARAMETER, openRecord,
  recordLength, sealRecord, TlsFault, UNEXPECTED_MESSAGE, USER_CANCELED,
} from './record.ts'
import type { Opened } from './record.ts'

/** What becomes of records. */
export interface RecordSink {
  /** Application data, at least one byte; good until the call returns. */
  onPlaintext(content: Uint8Array): void
  /** The peer sends no more: it said so (`close_notify`), or it reported an error, and then nothing may be sent either. */
  onTlsEnd(isError: boolean): void
}

/** All there is to know of a connection. Whoever has it can go on, and only one may. */
export interface RecordState {
  /** Name of the cipher suite. */
  readonly suite: string
  readonly read: TrafficState
  readonly write: TrafficState
  /** The beginning of a record. */
  readonly rest: Uint8Array
  readonly emptyRecords: number
  readonly owesUpdate: boolean
}

// RFC 8446 §4.6.3
const KEY_UPDATE = 24
const KEY_UPDATE_BYTES = 5
const KEY_UPDATE_NOT_REQUESTED = String.fromCharCode(KEY_UPDATE, 0, 0, 1, 0)
const WARNING = 1
const FATAL = 2
/** Records in a row that bring no data: a peer that has only them to say wastes our time. OpenSSL bears as many. */
const EMPTY_RECORDS_MAX = 32
/** Records under one key: RFC 8446 §5.5 allows 2^24.5 for AES-GCM. */
const RECORDS_PER_KEY_MAX = 2 ** 24

export class RecordLayer {
  readonly #read: TrafficKey
  readonly #write: TrafficKey
  readonly #recordsPerKeyMax: number
  /** The beginning of a record. */
  #rest: Buffer | undefined
  #emptyRecords = 0
  #owesUpdate = false
  #isReadEnded = false
  #isWriteEnded = false
  #isReceiving = false

  /** `recordsPerKeyMax` is given by tests only. */
  constructor(read: TrafficKey, write: TrafficKey, recordsPerKeyMax = RECORDS_PER_KEY_MAX) {
    this.#read = read
    this.#write = write
    this.#recordsPerKeyMax = recordsPerKeyMax
  }

  /** Goes on where another has stopped; copies what it needs. Throws `RangeError` for a suite that there is not. */
  static from({ emptyRecords, owesUpdate, read, rest, suite: name, write }: RecordState): RecordLayer {
    const suite = cipherSuites.get(name)
    if (suite === undefined) throw new RangeError(`no suite ${name}`)
    const layer = new RecordLayer(TrafficKey.from(suite, read), TrafficKey.from(suite, write))
    layer.#rest = rest.length > 0 ? Buffer.from(rest) : undefined
    layer.#emptyRecords = emptyRecords
    layer.#owesUpdate = owesUpdate
    return layer
  }

  /** Both directions are open, and no record is just being read. */
  get isMovable(): boolean {
    return !this.#isReadEnded && !this.#isWriteEnded && !this.#isReceiving
  }

  /** For `from`, elsewhere: this one forgets its keys, reads nothing more and writes nothing more. Only where `isMovable`. */
  giveAway(): RecordState {
    this.#isReadEnded = true
    this.#isWriteEnded = true
    const { suite } = this.#read
    return {
      suite: suite.name, read: this.#read.giveAway(), write: this.#write.giveAway(), rest: this.#rest ?? new Uint8Array(0),
      emptyRecords: this.#emptyRecords, owesUpdate: this.#owesUpdate,
    }
  }

  /** Bytes of the peer; throws `TlsFault`, after which nothing more is read. */
  receive(chunk: Uint8Array, sink: RecordSink): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    this.#rest = undefined
    let at = 0
    this.#isReceiving = true
    try {
      while (!this.#isReadEnded && bytes.length - at >= HEADER_BYTES) {
        const end = at + HEADER_BYTES + recordLength(bytes, at)
        if (end > bytes.length) break
        this.#take(openRecord(this.#read, bytes.subarray(at, end)), sink)
        at = end
      }
    } catch (error) {
      this.#isReadEnded = true
      throw error
    } finally {
      this.#isReceiving = false
    }
    // A copy: the chunk may be much larger.
    if (!this.#isReadEnded && at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at))
  }

  /** Records of a wire string, to be written in the order in which they were sealed; none once the end is sealed. */
  seal(wire: string): Buffer {
    if (this.#isWriteEnded) return Buffer.alloc(0)
    if (wire.length <= CONTENT_BYTES_MAX && !this.#mustUpdate) return this.#sealOne(wire)
    const records: Buffer[] = []
    for (let at = 0; at < wire.length; at += CONTENT_BYTES_MAX) {
      if (this.#mustUpdate) records.push(this.#updateWriteKey())
      records.push(this.#sealOne(wire.slice(at, at + CONTENT_BYTES_MAX)))
    }
    return Buffer.concat(records)
  }

  /** The last record of ours: `close_notify`, or an error (RFC 8446 §6); empty when there was one already. */
  sealEnd(alert = CLOSE_NOTIFY): Buffer {
    if (this.#isWriteEnded) return Buffer.alloc(0)
    this.#isWriteEnded = true
    return sealRecord(this.#write, ALERT, String.fromCharCode(alert === CLOSE_NOTIFY ? WARNING : FATAL, alert))
  }

  #sealOne(content: string): Buffer {
    return sealRecord(this.#write, APPLICATION_DATA, content)
  }

  /** RFC 8446 §4.6.3: an update that was asked for comes before our next data, one however often it was asked for. */
  get #mustUpdate(): boolean {
    return this.#owesUpdate || this.#write.sequence >= this.#recordsPerKeyMax
  }

  #updateWriteKey(): Buffer {
    const record = sealRecord(this.#write, HANDSHAKE, KEY_UPDATE_NOT_REQUESTED)
    this.#write.update()
    this.#owesUpdate = false
    return record
  }

  #take({ type, content }: Opened, sink: RecordSink): void {
    if (type === APPLICATION_DATA) {
      if (content.length === 0) {
        this.#noteEmpty()
        return
      }
      this.#emptyRecords = 0
      sink.onPlaintext(content)
    } else if (type === HANDSHAKE) this.#takeHandshake(content)
    else if (type === ALERT) this.#takeAlert(content, sink)
    else throw new TlsFault(UNEXPECTED_MESSAGE)
  }

  #noteEmpty(): void {
    if (++this.#emptyRecords > EMPTY_RECORDS_MAX) throw new TlsFault(UNEXPECTED_MESSAGE)
  }

  /** A client has nothing to send but KeyUpdate: no certificate was asked for after the handshake (RFC 8446 §4.6). */
  #takeHandshake(message: Uint8Array): void {
    if (message[0] !== KEY_UPDATE) throw new TlsFault(UNEXPECTED_MESSAGE)
    // §5.1: nothing may follow a change of keys in its record. Nobody splits five bytes.
    if (message.length !== KEY_UPDATE_BYTES) throw new TlsFault(UNEXPECTED_MESSAGE)
    if (message[1] !== 0 || message[2] !== 0 || message[3] !== 1) throw new TlsFault(DECODE_ERROR)
    const request = message[4] as number
    if (request > 1) throw new TlsFault(ILLEGAL_PARAMETER)
    this.#noteEmpty()
    this.#read.update()
    if (request === 1) this.#owesUpdate = true
  }

  /** The level says nothing (RFC 8446 §6). */
  #takeAlert(alert: Uint8Array, sink: RecordSink): void {
    if (alert.length !== 2) throw new TlsFault(DECODE_ERROR)
    if (alert[1] === USER_CANCELED) {
      // §6.1: `close_notify` follows.
      this.#noteEmpty()
      return
    }
    this.#isReadEnded = true
    const isError = alert[1] !== CLOSE_NOTIFY
    // §6.2: after an error nothing is sent.
    if (isError) this.#isWriteEnded = true
    sink.onTlsEnd(isError)
  }
}
