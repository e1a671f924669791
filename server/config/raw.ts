/**
 * What was written, with where it was written, before anybody knows what it means.
 *
 * The config file and the environment both become this, so that one reader checks both and each fault names its line or
 * its variable.
 */
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import type { Node, ParsedNode } from 'yaml'
import type { ErrorCode } from './error-codes.ts'

export type Raw = RawScalar | RawList | RawMap

interface Placed {
  /** `rollcall.yaml:12`, or the name of an environment variable. */
  readonly place: string
}
export interface RawScalar extends Placed {
  readonly kind: 'scalar'
  /** Text from the environment is not yet a number or a boolean. */
  readonly value: string | number | boolean | null
  readonly isFromEnvironment?: boolean
}
export interface RawList extends Placed {
  readonly kind: 'list'
  readonly items: readonly Raw[]
}
export interface RawMap extends Placed {
  readonly kind: 'map'
  readonly entries: Map<string, RawEntry>
}
export interface RawEntry {
  readonly keyPlace: string
  readonly value: Raw
}

/** One mistake in the configuration. */
export interface Fault {
  readonly code: ErrorCode
  /** `rollcall.yaml:12`, the name of a variable, or the file alone when something is absent. */
  readonly place: string
  /** Names the setting and the fix. */
  readonly message: string
}

/** Text with more than this is no config file; the limit keeps a wrong `--config` from being read into memory. */
export const CONFIG_BYTES_MAX = 1024 * 1024

/** Parses YAML; `name` is the file's, for messages. `value` is undefined for an empty file or one with syntax faults. */
export function parseYaml(text: string, name: string): { readonly value: Raw | undefined; readonly faults: readonly Fault[] } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: false })
  const placeAt = (offset: number) => `${name}:${lines.linePos(offset).line}`
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ pos, message }) => ({ code: 'config-syntax', place: placeAt(pos[0]), message: yamlMessage(message) }) as const)
    return { value: undefined, faults }
  }
  const faults: Fault[] = []
  const value = document.contents === null ? undefined : convert(document.contents, placeAt, faults)
  return { value: faults.length > 0 ? undefined : value, faults }
}

function yamlMessage(message: string): string {
  if (message === 'Map keys must be unique') return 'this setting is there twice: remove one of them'
  if (message.startsWith('Tabs are not allowed')) return 'indent with spaces: YAML takes no tabs'
  return `not YAML: ${message.replace(/\.$/, '')}`
}

function convert(node: Node, placeAt: (offset: number) => string, faults: Fault[]): Raw {
  const place = placeAt((node as ParsedNode).range?.[0] ?? 0)
  if (isAlias(node)) {
    // An alias may stand for a tree that has aliases itself; expanding those is how small files become huge.
    faults.push({ code: 'config-syntax', place, message: 'aliases are not supported: write the value again' })
    return { kind: 'scalar', value: null, place }
  }
  if (isSeq(node)) return { kind: 'list', place, items: node.items.map((item) => convert(item as Node, placeAt, faults)) }
  if (isMap(node)) {
    const entries = new Map<string, RawEntry>()
    for (const pair of node.items) {
      const key = pair.key as Node
      const keyPlace = placeAt((key as ParsedNode).range?.[0] ?? 0)
      const value: Raw = pair.value === null
        ? { kind: 'scalar', value: null, place: keyPlace }
        : convert(pair.value as Node, placeAt, faults)
      if (isScalar(key)) entries.set(String(key.value), { keyPlace, value })
      else faults.push({ code: 'config-syntax', place: keyPlace, message: 'a setting has a plain name, not a list or a section' })
    }
    return { kind: 'map', place, entries }
  }
  return { kind: 'scalar', place, value: scalarValue(isScalar(node) ? node.value : null) }
}

function scalarValue(value: unknown): string | number | boolean | null {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  // Big integers are the only other scalars of YAML's core schema, and none of our numbers is one.
  return typeof value === 'bigint' ? value.toString() : null
}

/** `over` on top of `base`: sections are merged, everything else is replaced. */
export function merged(base: Raw | undefined, over: Raw | undefined): Raw | undefined {
  if (base === undefined || over === undefined) return over ?? base
  if (base.kind !== 'map' || over.kind !== 'map') return over
  const entries = new Map(base.entries)
  for (const [key, entry] of over.entries) {
    const value = merged(base.entries.get(key)?.value, entry.value)
    if (value !== undefined) entries.set(key, { keyPlace: entry.keyPlace, value })
  }
  return { kind: 'map', place: base.place, entries }
}
