/**
 * What travels between a process and the one that keeps its storage, and its wire form.
 *
 * Appends to logs are most of what a server writes, so they have a form of their own in which values are JSON text that
 * nobody parses on the way. Everything else is JSON: the name of the call and its arguments.
 */
import { FlatRows, JsonText, StorageError, literal, varint, wireJson } from '@rollcall/ports'
import type {
  ArchiveEntry, BusCodec, BusMessage, Json, Owner, Rows, StorageBackend, StorageErrorCode, WholeStore, WireReader, WriteOp,
} from '@rollcall/ports'

/** Calls that are the same here and there. */
export const CALLS = [
  'write', 'keyvalGet', 'keyvalOwners', 'mapGet', 'mapAll', 'mapOwners', 'ownerGet', 'archiveQuery', 'archiveCount', 'counterGet', 'counterAdd',
  'backup',
] as const satisfies readonly (keyof StorageBackend)[]
export type CallName = (typeof CALLS)[number]

/** `args` without trailing undefined; one before the last is null. */
export interface StorageCall extends BusMessage {
  readonly kind: 'call'
  readonly name: CallName
  readonly args: readonly unknown[]
}
/** Appends that are one write; `text` is their wire form while they are sent. */
export interface LogAppends extends BusMessage {
  readonly kind: 'log'
  readonly text: string
  readonly ops: readonly WriteOp[]
}
/** Reply `StorageFacts`. */
export interface StorageHello extends BusMessage {
  readonly kind: 'hello'
}
export type StorageMessage = StorageCall | LogAppends | StorageHello

export interface StorageFacts {
  readonly isSearchable: boolean
}

/** How a call ended at the other side. */
export class Outcome {
  readonly error: unknown
  readonly value: unknown

  constructor(error: unknown, value: unknown) {
    this.error = error
    this.value = value
  }
}

// ---------------------------------------------------------------------------------------------- appends

/** Wire form of one append; `previousAt` is the `at` of the one before, 0 for the first. Throws `TypeError` for no JSON. */
export function appendText(store: string, owner: Owner, entry: ArchiveEntry<Json>, valueText: string, previousAt: number): string {
  const { id, at, with: peer, text } = entry
  return literal(store) + literal(owner) + literal(id) + difference(at, previousAt) + literal(peer) + literal(valueText)
    + (text === undefined ? varint(0) : varint(1) + literal(text))
}

/** Entries of one turn differ by little; those that differ by more than a varint holds are written out. */
function difference(at: number, previousAt: number): string {
  const by = at - previousAt
  return Math.abs(by) > 2 ** 50 ? varint(2) + literal(`${at}`) : varint(by < 0 ? -4 * by + 1 : 4 * by)
}

function readAppends(reader: WireReader): WriteOp[] {
  const ops: WriteOp[] = []
  let previousAt = 0
  while (!reader.isAtEnd) {
    const store = reader.literal()
    const owner = reader.literal()
    const id = reader.literal()
    const by = reader.varint()
    const at = by === 2 ? Number(reader.literal()) : previousAt + (by % 4 === 1 ? -(by - 1) / 4 : by / 4)
    previousAt = at
    const peer = reader.literal()
    const value = new JsonText(reader.literal()) as unknown as Json
    const entry = { id, at, with: peer, value }
    ops.push({ op: 'log-append', store, owner, entry: reader.varint() === 0 ? entry : { ...entry, text: reader.literal() } })
  }
  return ops
}

// ---------------------------------------------------------------------------------------------- replies

/** What `ownerGet` answers as JSON: per store key, value, key, value of a map, or an array of the value if there is one. */
export type OwnerParts = readonly (readonly Json[])[]

export function ownerParts(values: readonly (Json | undefined | Rows<Json>)[], stores: readonly WholeStore[]): OwnerParts {
  return values.map((value, at) => {
    if (stores[at]!.kind !== 'map') return value === undefined ? [] : [value as Json]
    const flat: Json[] = []
    ;(value as Rows<Json>).forEach((row, key) => void flat.push(key, row))
    return flat
  })
}

export function fromOwnerParts(parts: OwnerParts, stores: readonly WholeStore[]): (Json | undefined | Rows<Json>)[] {
  return parts.map((part, at) => (stores[at]!.kind === 'map' ? new FlatRows(part) : part[0]))
}

interface WireError {
  readonly name: string
  readonly code?: StorageErrorCode
  readonly message: string
}

function errorText(error: unknown): string {
  const wireError: WireError = error instanceof StorageError ? { name: error.name, code: error.code, message: error.message }
    : error instanceof Error ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) }
  return wireJson(wireError)
}

/** The same class again, as far as callers tell errors apart: what is neither was a defect over there. */
function readError(text: string): Error {
  const { name, code, message } = JSON.parse(text) as WireError
  if (code !== undefined) return new StorageError(code, message)
  return name === 'TypeError' ? new TypeError(message) : new Error(message)
}

/** First character of a reply; nothing at all is a call that returns nothing. */
const REPLY = { error: 'E', json: 'J', map: 'M' } as const

function writeValue(value: unknown): string {
  if (!(value instanceof Outcome)) throw new TypeError('a storage call is answered with an Outcome')
  if (value.error !== undefined) return REPLY.error + errorText(value.error)
  if (value.value === undefined) return ''
  return value.value instanceof Map ? REPLY.map + wireJson([...value.value]) : REPLY.json + wireJson(value.value)
}

function readValue(reader: WireReader): Outcome {
  if (reader.isAtEnd) return new Outcome(undefined, undefined)
  const tag = reader.take(1)
  const text = reader.rest()
  if (tag === REPLY.error) return new Outcome(readError(text), undefined)
  const value: unknown = JSON.parse(text)
  return new Outcome(undefined, tag === REPLY.map ? new Map(value as [string, Json][]) : value)
}

// ---------------------------------------------------------------------------------------------- codec

function readMessage(reader: WireReader): StorageMessage | undefined {
  switch (reader.take(1)) {
    case 'L':
      return { kind: 'log', text: '', ops: readAppends(reader) }
    case 'C': {
      const [name, ...args] = JSON.parse(reader.rest()) as [CallName, ...unknown[]]
      return CALLS.includes(name) ? { kind: 'call', name, args: args.map(arg => arg ?? undefined) } : undefined
    }
    case 'H':
      return { kind: 'hello' }
    default:
      return undefined
  }
}

function writeMessage(message: StorageMessage): string {
  switch (message.kind) {
    case 'log':
      return `L${message.text}`
    case 'call':
      return `C${wireJson([message.name, ...message.args])}`
    case 'hello':
      return 'H'
  }
}

const encoder = { message: writeMessage, value: writeValue }
const decoder = { message: readMessage, value: readValue }

export const storageCodec: BusCodec<StorageMessage> = { protocolVersion: 1, encoder: () => encoder, decoder: () => decoder }
