/**
 * Settings from environment variables, for containers: `ROLLCALL_<SECTION>__<KEY>`, over those of the file.
 *
 * `__` separates levels and `_` words: `ROLLCALL_LIMITS__STANZA_BYTES_MAX=128KiB`, `ROLLCALL_MODULES__LAST_ACTIVITY__ENABLED=false`.
 * A list of texts is separated by commas; lists and tables of more are YAML (`[{kind: client, port: 5222}]`). A variable
 * without `__` is ours when it names a setting of the top level or nearly does: others (`ROLLCALL_PORT_5222_TCP`, which
 * Kubernetes makes for a service called rollcall) belong to somebody else.
 */
import { parseYaml } from './raw.ts'
import type { Fault, Raw, RawEntry, RawMap } from './raw.ts'
import { fileKey } from './field.ts'
import type { AnyField, AnySection } from './field.ts'
import { closest } from './suggest.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export const ENVIRONMENT_PREFIX = 'ROLLCALL_'
/** Names the config file; not a setting. */
export const CONFIG_VARIABLE = 'ROLLCALL_CONFIG'
/** What Kubernetes adds for a service of our name. */
const FOREIGN = /^ROLLCALL_(?:SERVICE_|PORT(?:_|$))/

/** The settings in `environment`, and the faults of variables that name none. */
export function readEnvironment(environment: Environment, schema: AnySection): { readonly value: Raw | undefined; readonly faults: readonly Fault[] } {
  const root: RawMap = { kind: 'map', place: 'environment', entries: new Map() }
  const faults: Fault[] = []
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || name === CONFIG_VARIABLE || FOREIGN.test(name) || text === undefined) continue
    const found = fieldOf(name, schema)
    if ('message' in found) {
      if (found.message !== '') faults.push({ code: 'config-unknown-key', place: name, message: found.message })
      continue
    }
    const parsed = rawOf(name, text, found.field)
    faults.push(...parsed.faults)
    if (parsed.value !== undefined) put(root, found.path, name, parsed.value)
  }
  return { value: root.entries.size === 0 ? undefined : root, faults }
}

/** The variable that sets the field at `path` (names of the file). */
export function variableOf(path: readonly string[]): string {
  return ENVIRONMENT_PREFIX + path.map((key) => key.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '_').replaceAll('-', '_').toUpperCase()).join('__')
}

type Found = { readonly field: AnyField; readonly path: readonly string[] } | { readonly message: string }

/** Where a variable leads; an empty message when it is none of ours. */
function fieldOf(name: string, schema: AnySection): Found {
  const segments = name.slice(ENVIRONMENT_PREFIX.length).split('__')
  const path: string[] = []
  let field: AnyField = schema
  for (const segment of segments) {
    if (field.kind === 'table') {
      const known: readonly string[] = field.keys ?? []
      path.push(known.find((key) => sameName(key, segment)) ?? segment.toLowerCase())
      field = field.value
      continue
    }
    if (field.kind !== 'section') return { message: `${path.join('.')} has no settings in it: set it as a whole with ${variableOf(path)}` }
    const byName = new Map(Object.entries(field.fields).map(([key, inner]) => [fileKey(key, inner), inner]))
    const key = [...byName.keys()].find((candidate) => sameName(candidate, segment))
    if (key === undefined) return { message: unknownVariable(segments, path, segment, [...byName.keys()]) }
    path.push(key)
    field = byName.get(key) as AnyField
  }
  return field.kind === 'section' ? { message: `names a section: its settings are ${settingsOf(field, path)}` } : { field, path }
}

function sameName(key: string, segment: string): boolean {
  return key.replaceAll(/[-_]/g, '').toLowerCase() === segment.replaceAll('_', '').toLowerCase()
}

function unknownVariable(segments: readonly string[], path: readonly string[], segment: string, known: readonly string[]): string {
  const near = closest(segment, known)
  if (segments.length === 1 && near === undefined) return ''
  if (near !== undefined) return `there is no such setting; did you mean ${variableOf([...path, near])}?`
  return `there is no such setting; known are ${known.map((key) => variableOf([...path, key])).join(', ')}`
}

function settingsOf(section: AnySection, path: readonly string[]): string {
  return Object.entries(section.fields).map(([key, inner]) => variableOf([...path, fileKey(key, inner)])).join(', ')
}

function rawOf(name: string, text: string, field: AnyField): { readonly value: Raw | undefined; readonly faults: readonly Fault[] } {
  const scalar = (value: string): Raw => ({ kind: 'scalar', value, place: name, isFromEnvironment: true })
  const isList = field.kind === 'list' || (field.kind === 'value' && (field.form === 'texts' || field.form === 'choices'))
  const isStructured = field.kind === 'table' || (isList && /^\s*[[-]/.test(text))
  if (isStructured) {
    const { value, faults } = parseYaml(text, name)
    // A variable has no lines worth naming.
    const atVariable = faults.map(({ code, message }) => ({ code, message, place: name }))
    return { value: value === undefined ? undefined : placedAt(value, name), faults: atVariable }
  }
  if (!isList) return { value: scalar(text), faults: [] }
  const items = text.split(',').map((item) => item.trim()).filter((item) => item !== '')
  return { value: { kind: 'list', place: name, items: items.map(scalar) }, faults: [] }
}

function placedAt(raw: Raw, place: string): Raw {
  if (raw.kind === 'scalar') return { ...raw, place }
  if (raw.kind === 'list') return { kind: 'list', place, items: raw.items.map((item) => placedAt(item, place)) }
  const entries = new Map([...raw.entries].map(([key, { value }]) => [key, { keyPlace: place, value: placedAt(value, place) }]))
  return { kind: 'map', place, entries }
}

function put(root: RawMap, path: readonly string[], place: string, value: Raw): void {
  let map = root
  for (const key of path.slice(0, -1)) {
    const entry: RawEntry = map.entries.get(key) ?? { keyPlace: place, value: { kind: 'map', place, entries: new Map() } }
    map.entries.set(key, entry)
    map = entry.value as RawMap
  }
  map.entries.set(path.at(-1) as string, { keyPlace: place, value })
}
