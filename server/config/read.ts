/**
 * From what was written to values: walks the schema and what was written side by side and collects every fault, so that
 * somebody with five mistakes corrects them in one go.
 */
import type { ErrorCode } from './error-codes.ts'
import { allowed, fileKey, written } from './field.ts'
import type { AnyField, AnySection, Infer, ListField, TableField, ValueField } from './field.ts'
import type { Fault, Raw, RawMap, RawScalar } from './raw.ts'
import { closest } from './suggest.ts'
import { parseDuration, parseSize } from './units.ts'

export interface ReadResult<T> {
  /** Defaults stand for what was absent or wrong. */
  readonly value: T
  readonly faults: Fault[]
  /** Place of everything given, by path: `listeners[1].port`. */
  readonly places: ReadonlyMap<string, string>
}

/** Reads `raw` by the schema; `file` is the place of what is absent. */
export function readConfig<S extends AnyField>(schema: S, raw: Raw | undefined, file: string): ReadResult<Infer<S>> {
  const reader = new Reader(file)
  const value = reader.read(schema, raw, '') as Infer<S>
  return { value, faults: reader.faults, places: reader.places }
}

class Reader {
  readonly faults: Fault[] = []
  readonly places = new Map<string, string>()
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  read(field: AnyField, raw: Raw | undefined, path: string): unknown {
    if (raw !== undefined) this.places.set(path, raw.place)
    switch (field.kind) {
      case 'section':
        return this.#section(field, raw, path)
      case 'list':
        return this.#list(field, raw, path)
      case 'table':
        return this.#table(field, raw, path)
      case 'value':
        return this.#value(field, raw, path)
    }
  }

  #fault(code: ErrorCode, place: string, path: string, message: string): void {
    this.faults.push({ code, place, message: path === '' ? message : `${path}: ${message}` })
  }

  /** The map of a section or table; an empty section (`limits:` and nothing more) is one without settings. */
  #map(raw: Raw | undefined, path: string, what: string): RawMap | undefined {
    if (raw === undefined || (raw.kind === 'scalar' && raw.value === null)) return undefined
    if (raw.kind === 'map') return raw
    this.#fault('config-bad-value', raw.place, path, `must be ${what}`)
    return undefined
  }

  #section(field: AnySection, raw: Raw | undefined, path: string): Record<string, unknown> {
    const map = this.#map(raw, path, 'a section with settings, one per line, indented')
    const byKey = new Map(Object.entries(field.fields).map(([key, inner]) => [fileKey(key, inner), { key, inner }]))
    for (const [key, { keyPlace }] of map?.entries ?? []) {
      if (!byKey.has(key)) this.#fault('config-unknown-key', keyPlace, join(path, key), unknownKey(key, field, [...byKey.keys()]))
    }
    const values: Record<string, unknown> = {}
    for (const [name, { key, inner }] of byKey) {
      const given = map?.entries.get(name)?.value
      if (given === undefined && field.isSparse === true) continue
      const value = this.read(inner, given, join(path, name))
      if (value === undefined && given === undefined) {
        this.#fault('config-missing', map?.place ?? this.#file, join(path, name), `is needed: ${describe(inner)}`)
      }
      values[key] = value
    }
    return values
  }

  #list(field: ListField<unknown>, raw: Raw | undefined, path: string): readonly unknown[] {
    if (raw === undefined) return field.default
    if (raw.kind !== 'list') {
      this.#fault('config-bad-value', raw.place, path, `must be a list, for instance ${field.example[0]}`)
      return field.default
    }
    if (raw.items.length > field.itemsMax) this.#fault('config-bad-value', raw.place, path, `must have at most ${field.itemsMax} entries`)
    return raw.items.slice(0, field.itemsMax).map((item, index) => {
      const itemPath = `${path}[${index}]`
      const { shorthand } = field
      const isShort = shorthand !== undefined && item.kind === 'scalar' && item.value !== null
      if (!isShort) return this.read(field.item, item, itemPath)
      const entries = new Map([[shorthand, { keyPlace: item.place, value: item }]])
      return this.read(field.item, { kind: 'map', place: item.place, entries }, itemPath)
    })
  }

  #table(field: TableField<unknown>, raw: Raw | undefined, path: string): Readonly<Record<string, unknown>> {
    const map = this.#map(raw, path, 'a section with settings, one per line, indented')
    if (map === undefined) return field.default
    const values: Record<string, unknown> = {}
    for (const [key, { keyPlace, value }] of map.entries) {
      if (field.keys !== undefined && !field.keys.includes(key)) {
        this.#fault('config-unknown-key', keyPlace, join(path, key), unknownName(key, field.keys))
        continue
      }
      values[key] = this.read(field.value, value, join(path, key))
    }
    return values
  }

  #value(field: ValueField<unknown>, raw: Raw | undefined, path: string): unknown {
    if (raw === undefined) return field.default
    const result = field.form === 'texts' || field.form === 'choices' ? this.#items(field, raw, path) : valueOf(field, raw)
    if (result === undefined) return field.default
    const fault = 'fault' in result ? result.fault : field.check?.(result.value)
    if (fault === undefined) return (result as { value: unknown }).value
    this.#fault('config-bad-value', raw.place, path, fault)
    return field.default
  }

  /** A list of texts; undefined when an item is wrong, which has then been said. */
  #items(field: ValueField<unknown>, raw: Raw, path: string): ValueResult | undefined {
    if (raw.kind !== 'list') return { fault: `must be a list, for instance [${field.choices?.[0] ?? 'one, two'}]` }
    const items: unknown[] = []
    for (const [index, item] of raw.items.entries()) {
      const itemPath = `${path}[${index}]`
      this.places.set(itemPath, item.place)
      const result = itemValue(field, item)
      if ('value' in result) items.push(result.value)
      else this.#fault('config-bad-value', item.place, itemPath, result.fault)
    }
    return items.length === raw.items.length ? { value: items } : undefined
  }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

function describe(field: AnyField): string {
  return field.kind === 'value' ? `${allowed(field)}. ${field.description}` : field.description
}

function unknownKey(key: string, { fields }: AnySection, known: readonly string[]): string {
  const stripped = key.replace(/(?:Ms|Seconds)$/, '')
  if (stripped !== key && known.includes(stripped)) return `there is no such setting; write '${stripped}' with a unit, for instance ${stripped}: 30s`
  // A setting of a section that is written one level too high or too low is a common slip.
  const inner = Object.entries(fields).find(([, field]) => field.kind === 'section' && Object.hasOwn(field.fields, key))
  if (closest(key, known) === undefined && inner !== undefined) return `there is no such setting here; it belongs in the section '${inner[0]}'`
  return unknownName(key, known)
}

function unknownName(key: string, known: readonly string[]): string {
  const near = closest(key, known)
  return near === undefined ? `there is no such setting; known are ${known.join(', ')}` : `there is no such setting; did you mean '${near}'?`
}

type ValueResult = { readonly value: unknown } | { readonly fault: string }

function valueOf(field: ValueField<unknown>, raw: Raw): ValueResult {
  if (raw.kind !== 'scalar') return { fault: `must be one value (${allowed(field)}), not a ${raw.kind === 'map' ? 'section' : 'list'}` }
  if (raw.value === null) return { fault: `has no value: write ${allowed(field)}, or remove the line` }
  switch (field.form) {
    case 'boolean':
      return booleanValue(raw)
    case 'integer':
    case 'number':
      return numberValue(field, raw)
    case 'duration':
      return durationValue(field, raw)
    case 'size':
      return sizeValue(field, raw)
    case 'choice':
      return choiceValue(field, raw)
    default:
      return textValue(raw)
  }
}

function booleanValue({ value, isFromEnvironment }: RawScalar): ValueResult {
  if (typeof value === 'boolean') return { value }
  if (isFromEnvironment === true && (value === 'true' || value === 'false')) return { value: value === 'true' }
  return { fault: `must be true or false, not ${shown(value)}` }
}

function numberValue(field: ValueField<unknown>, { value, isFromEnvironment }: RawScalar): ValueResult {
  const isNumeral = isFromEnvironment === true && typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value)
  const number = isNumeral ? Number(value) : value
  const isRight = typeof number === 'number' && Number.isFinite(number) && (field.form === 'number' || Number.isSafeInteger(number))
  return bounded(field, isRight ? number : undefined, field.form === 'integer' ? 'a whole number' : 'a number')
}

function durationValue(field: ValueField<unknown>, { value }: RawScalar): ValueResult {
  const ms = typeof value === 'boolean' ? undefined : parseDuration(String(value))
  const example = written(field, field.default ?? 1000)
  if (ms === undefined && typeof value === 'number') return { fault: `needs a unit: ${value}s, ${value}ms, ${value}m, ${value}h or ${value}d` }
  const units = ms === undefined ? undefined : ms / (field.unitMs ?? 1)
  if (units !== undefined && !Number.isInteger(units)) return { fault: `must be whole seconds, not ${shown(value)}` }
  return bounded(field, units, `a duration such as ${example}`)
}

function sizeValue(field: ValueField<unknown>, { value }: RawScalar): ValueResult {
  const bytes = typeof value === 'boolean' ? undefined : parseSize(String(value))
  return bounded(field, bytes, `a size such as ${written(field, field.default ?? 1024)}`)
}

function bounded(field: ValueField<unknown>, number: number | undefined, what: string): ValueResult {
  const { min = -Infinity, max = Infinity } = field
  if (number === undefined) return { fault: `must be ${what}` }
  if (number >= min && number <= max) return { value: number }
  if (max === Infinity) return { fault: `must be at least ${written(field, min)}` }
  return { fault: `must be from ${written(field, min)} to ${written(field, max)}` }
}

function choiceValue({ choices = [] }: ValueField<unknown>, { value }: RawScalar): ValueResult {
  const found = choices.find((choice) => choice === value)
  if (found !== undefined) return { value: found }
  const near = typeof value === 'string' ? closest(value, choices) : undefined
  return { fault: `must be one of ${choices.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}` }
}

function textValue({ value }: RawScalar): ValueResult {
  if (typeof value === 'string') return { value }
  return { fault: `must be text: write '${value}' in quotes` }
}

function itemValue(field: ValueField<unknown>, raw: Raw): ValueResult {
  if (raw.kind !== 'scalar' || raw.value === null) return { fault: 'must be a text' }
  const result = field.form === 'choices' ? choiceValue(field, raw) : textValue(raw)
  if ('fault' in result) return result
  const fault = field.checkItem?.(result.value as string)
  return fault === undefined ? result : { fault }
}

function shown(value: unknown): string {
  return JSON.stringify(value)
}
