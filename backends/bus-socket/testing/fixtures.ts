/** What the tests and measurements of this folder share: a codec for any JSON message, the real clock, bounded waiting. */
import assert from 'node:assert/strict'
import { wireJson } from '@rollcall/ports'
import type { BusCodec, BusMessage, Clock } from '@rollcall/ports'

/** Every message and value is JSON; undefined travels as nothing. */
export function jsonCodec<M extends BusMessage>(protocolVersion = 1): BusCodec<M> {
  const encode = (value: unknown): string => (value === undefined ? '' : wireJson(value))
  return {
    protocolVersion,
    encoder: () => ({ message: encode, value: encode }),
    decoder: () => ({
      message: reader => JSON.parse(reader.rest()) as M,
      value: reader => (reader.isAtEnd ? undefined : JSON.parse(reader.rest())),
    }),
  }
}

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  every: (periodMs, callback) => {
    const timer = setInterval(callback, periodMs)
    return { cancel: () => clearInterval(timer) }
  },
  soon: callback => void setImmediate(callback),
  endTurn: () => {},
}

/** Resolves when it is so; fails after 5 s. */
export async function until(isDone: () => boolean, what = 'it did not happen'): Promise<void> {
  const endMs = performance.now() + 5000
  while (!isDone()) {
    assert.ok(performance.now() < endMs, what)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}
