/**
 * From OpenSSL to our own record layer: the handshake's outcome, with proof.
 *
 * OpenSSL tells the traffic secrets (the lines of the key log, in memory only) but not how many records it has read and
 * written. They are counted as they pass, and what is uncertain, namely how many of the encrypted ones belonged to the handshake
 * and so to other keys, is decided by the records themselves: the last one of each direction must open under the number that we
 * think it has. It opens under no other key, number or generation of keys, so there is nothing left to be believed. A number
 * used twice would give the key of the authentication away; therefore: no proof, no hand-over.
 */
import { HASH_BYTES, TrafficKey, cipherSuites } from './key-schedule.ts'
import type { CipherSuite } from './key-schedule.ts'
import { RecordCounter } from './record-counter.ts'
import { RecordLayer } from './record-layer.ts'
import { APPLICATION_DATA, HANDSHAKE, TlsFault, openRecord } from './record.ts'
import type { Opened } from './record.ts'

const CLIENT_SECRET = 'CLIENT_TRAFFIC_SECRET_0 '
const SERVER_SECRET = 'SERVER_TRAFFIC_SECRET_0 '
/** Encrypted records of a handshake, most likely first: Finished of a client; EncryptedExtensions to Finished of a server. */
const CLIENT_FLIGHTS = [1, 3, 2, 0, 4, 5]
const SERVER_FLIGHTS = [4, 2, 5, 1, 3, 0, 6, 7, 8]
const NEW_SESSION_TICKET = 4
const HANDSHAKE_HEADER_BYTES = 4

export class HandOver {
  readonly fromClient = new RecordCounter()
  readonly fromServer = new RecordCounter()
  #clientSecret: Uint8Array | undefined
  #serverSecret: Uint8Array | undefined

  /** A line of the key log; overwritten when it was a secret of ours. */
  keylog(line: Buffer): void {
    const label = line.toString('latin1', 0, CLIENT_SECRET.length)
    if (label === CLIENT_SECRET) this.#clientSecret = secretOf(line)
    else if (label === SERVER_SECRET) this.#serverSecret = secretOf(line)
    line.fill(0)
  }

  /**
   * The record layer that goes on, for the suite of that name; undefined without proof. The caller makes sure that whoever did
   * TLS so far has neither unread nor unwritten bytes.
   */
  takeOver(suiteName: string): RecordLayer | undefined {
    const suite = cipherSuites.get(suiteName)
    if (suite === undefined || !this.fromClient.isAtBoundary || !this.fromServer.isAtBoundary) return undefined
    const read = prove(suite, this.#clientSecret, this.fromClient, CLIENT_FLIGHTS, isData)
    if (read === undefined) return undefined
    const write = prove(suite, this.#serverSecret, this.fromServer, SERVER_FLIGHTS, isDataOrTicket)
    return write && new RecordLayer(read, write)
  }
}

/** `LABEL <client random> <secret>`, in hexadecimal digits. */
function secretOf(line: Buffer): Uint8Array {
  const at = line.lastIndexOf(0x20) + 1
  const secret = new Uint8Array((line.length - at) >> 1)
  for (let i = 0; i < secret.length; i++) secret[i] = (digit(line[at + 2 * i]) << 4) | digit(line[at + 2 * i + 1])
  return secret
}

function digit(code = 0): number {
  return code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57
}

/** The key that opens the direction's last record, ready for the next one; undefined if none does. */
function prove(
  suite: CipherSuite, secret: Uint8Array | undefined, { count, last }: RecordCounter, flights: readonly number[],
  isEnd: (last: Opened) => boolean,
): TrafficKey | undefined {
  if (secret?.length !== HASH_BYTES[suite.hash] || last === undefined) return undefined
  const key = new TrafficKey(suite, secret)
  for (const flight of flights) {
    const sequence = count - flight - 1
    if (sequence < 0) continue
    key.sequence = sequence
    const opened = tryOpen(key, last)
    // A message that goes on in the next record would be lost with OpenSSL's state.
    if (opened !== undefined) return isEnd(opened) ? key : undefined
  }
  return undefined
}

function tryOpen(key: TrafficKey, record: Uint8Array): Opened | undefined {
  try {
    return openRecord(key, record)
  } catch (error) {
    if (error instanceof TlsFault) return undefined
    throw error
  }
}

function isData({ type }: Opened): boolean {
  return type === APPLICATION_DATA
}

/** Data, or one whole ticket: what a server may have sent last without anything to follow. */
function isDataOrTicket({ type, content }: Opened): boolean {
  if (type === APPLICATION_DATA) return true
  if (type !== HANDSHAKE || content[0] !== NEW_SESSION_TICKET) return false
  const length = ((content[1] as number) << 16) | ((content[2] as number) << 8) | (content[3] as number)
  return content.length === HANDSHAKE_HEADER_BYTES + length
}
