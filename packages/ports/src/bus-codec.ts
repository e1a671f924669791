/**
 * How messages become text on a bus that leaves the process.
 *
 * A connection has one encoder at its sender and one decoder at its receiver. They may remember what passed before (names
 * that were seen, the last payload), because a connection is first in, first out and loses nothing until it ends: everything
 * that an encoder has made must be sent, and a new connection starts with a new pair.
 *
 * Wire text has no character beyond U+00FF.
 */
import type { BusMessage } from './bus.ts'
import type { WireReader } from './wire-text.ts'

export interface BusEncoder<M extends BusMessage = BusMessage> {
  /** Wire text of a message; throws, with the encoder as it was, for what cannot travel. */
  message(message: M): string
  /** Wire text of what a request was answered with; throws as `message` does. */
  value(value: unknown): string
}
export interface BusDecoder<M extends BusMessage = BusMessage> {
  /** Undefined for a kind that this version does not know. Throws for text that no encoder made. */
  message(reader: WireReader): M | undefined
  value(reader: WireReader): unknown
}
export interface BusCodec<M extends BusMessage = BusMessage> {
  /** Version of the message table, told to peers; a difference alone refuses nobody. */
  readonly protocolVersion: number
  encoder(): BusEncoder<M>
  decoder(): BusDecoder<M>
}
