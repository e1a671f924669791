/**
 * What a config file may say, as data: reading, errors, the commented example and the reference are all made from it.
 *
 * Fields are declared under the names that the code uses (`negotiationMs`); the file has the same name without its unit
 * (`negotiation: 60s`), because there the value carries it.
 */
import type { Option } from '@rollcall/module-api'
import { formatDuration, formatSize } from './units.ts'

/** How a value is written. `duration` and `size` are numbers inside: ms (or seconds, by the field's name) and bytes. */
export type Form = 'boolean' | 'integer' | 'number' | 'text' | 'choice' | 'duration' | 'size' | 'texts' | 'choices' | 'path'

export interface ValueField<T> {
  readonly kind: 'value'
  readonly form: Form
  /** Undefined: has to be given. */
  readonly default: T | undefined
  readonly description: string
  readonly min?: number
  readonly max?: number
  readonly choices?: readonly string[]
  /** ms of one unit of the field's number, for durations. */
  readonly unitMs?: number
  /** What is wrong with a value of the right form, in words that name the fix. */
  check?(value: T): string | undefined
  /** The same for one item of a list of texts. */
  checkItem?(item: string): string | undefined
}

export interface SectionField<T> {
  readonly kind: 'section'
  readonly description: string
  readonly fields: Readonly<Record<string, AnyField>>
  /** Only what is given is read, defaults are applied by who uses it. */
  readonly isSparse?: boolean
  /** Never there: carries the type of what is read. */
  readonly type?: T
}

export interface ListField<T> {
  readonly kind: 'list'
  readonly description: string
  readonly item: SectionField<T>
  /** The item's field that a bare text stands for. */
  readonly shorthand?: string
  readonly default: readonly T[]
  readonly itemsMax: number
  /** Items as the commented example shows them, as YAML. */
  readonly example: readonly string[]
}

/** Free keys, each with a value. */
export interface TableField<V> {
  readonly kind: 'table'
  readonly description: string
  readonly value: ValueField<V>
  /** The keys that may be used; any, when absent. */
  readonly keys?: readonly string[]
  readonly default: Readonly<Record<string, V>>
}

/** Any field, for code that walks the schema. */
export type AnyField = ValueField<unknown> | AnySection | ListField<unknown> | TableField<unknown>
export type AnySection = SectionField<unknown>

/** The type that reading a field gives. */
export type Infer<F> =
  F extends ValueField<infer T> ? T
  : F extends SectionField<infer T> ? T
  : F extends ListField<infer I> ? readonly I[]
  : F extends TableField<infer V> ? Readonly<Record<string, V>>
  : never

type Rules<T> = Partial<Pick<ValueField<T>, 'check' | 'checkItem'>>

const value = <T>(form: Form, fallback: T | undefined, description: string, rest: Partial<ValueField<T>> = {}): ValueField<T> => ({
  kind: 'value', form, default: fallback, description, ...rest,
})

export const field = {
  boolean: (fallback: boolean, description: string): ValueField<boolean> => value('boolean', fallback, description),
  integer: (fallback: number | undefined, min: number, max: number, description: string): ValueField<number> =>
    value('integer', fallback, description, { min, max }),
  text: (fallback: string | undefined, description: string, rules: Rules<string> = {}): ValueField<string> =>
    value('text', fallback, description, rules),
  /** A file or folder; relative ones are taken from the config file's folder. */
  path: (fallback: string | undefined, description: string): ValueField<string> => value('path', fallback, description),
  texts: (fallback: readonly string[], description: string, rules: Rules<readonly string[]> = {}): ValueField<readonly string[]> =>
    value('texts', fallback, description, rules),
  choice: <const C extends string>(fallback: C | undefined, choices: readonly C[], description: string): ValueField<C> =>
    value('choice', fallback, description, { choices }),
  choices: <const C extends string>(fallback: readonly C[], choices: readonly C[], description: string): ValueField<readonly C[]> =>
    value('choices', fallback, description, { choices }),
}

/** A section from its fields. */
export function section<F extends Readonly<Record<string, AnyField>>>(
  description: string, fields: F,
): SectionField<{ readonly [K in keyof F & string]: Infer<F[K]> }> {
  return { kind: 'section', description, fields }
}

export type About = readonly [min: number, max: number, description: string]

/**
 * A field per number of `defaults`, written as its name says: `…Ms` and `…Seconds` as durations, `…Bytes…` as sizes. `about`
 * has to say something about each, so that a limit cannot be added to the code and not to the config file.
 */
export function numbers<T extends object>(
  defaults: T, about: { readonly [K in keyof T & string]: About },
): { readonly [K in keyof T & string]: ValueField<number> } {
  const entries = Object.entries<About>(about).map(([key, [min, max, description]]) => {
    return [key, number(key, (defaults as Readonly<Record<string, number>>)[key] as number, min, max, description)] as const
  })
  return Object.fromEntries(entries) as { readonly [K in keyof T & string]: ValueField<number> }
}

/** A number whose name tells how it is written. */
export function number(key: string, fallback: number, min: number, max: number, description: string): ValueField<number> {
  const unitMs = key.endsWith('Ms') ? 1 : key.endsWith('Seconds') ? 1000 : undefined
  if (unitMs !== undefined) return value('duration', fallback, description, { min, max, unitMs })
  return value(key.includes('Bytes') ? 'size' : 'integer', fallback, description, { min, max })
}

/** The name in the file: the unit goes, because the value has it. */
export function fileKey(key: string, { kind, ...rest }: AnyField): string {
  const isDuration = kind === 'value' && (rest as ValueField<unknown>).form === 'duration'
  return isDuration ? key.replace(/(?:Ms|Seconds)$/, '') : key
}

/** A module's option as a field. */
export function optionField(key: string, option: Option<unknown>): ValueField<unknown> {
  const { type, default: fallback, description, min = -Infinity, max = Infinity, choices } = option
  switch (type) {
    case 'integer':
      return number(key, fallback as number, min, max, description)
    case 'string':
      return value('text', fallback, description)
    case 'strings':
      return value('texts', fallback, description)
    case 'choice':
      return value('choice', fallback, description, choices === undefined ? {} : { choices })
    case 'boolean':
    case 'number':
      return value(type, fallback, description, { min, max })
  }
}

/** A value as it is written in the file, as YAML. */
export function written({ form, unitMs = 1 }: ValueField<unknown>, content: unknown): string {
  if (form === 'duration') return formatDuration((content as number) * unitMs)
  if (form === 'size') return formatSize(content as number)
  if (Array.isArray(content)) return `[${content.map((item) => text(String(item))).join(', ')}]`
  return typeof content === 'string' ? text(content) : String(content)
}

/** Plain where YAML reads it back as the same text, else quoted. */
function text(content: string): string {
  const isPlain = /^[A-Za-z/][\w./@+-]*$/.test(content) && !/^(?:true|false|null|yes|no|on|off)$/i.test(content)
  return isPlain ? content : `'${content.replaceAll(`'`, `''`)}'`
}

/** What may be written, in words: `duration, 1s to 1h`. */
export function allowed(what: ValueField<unknown>): string {
  const { form, min, max, choices } = what
  if (form === 'choices') return `list of ${choices?.join(', ')}`
  if (choices !== undefined) return choices.join(', ')
  if (form === 'boolean') return 'true, false'
  const names: Partial<Record<Form, string>> = { texts: 'list of texts', integer: 'whole number' }
  const name = names[form] ?? form
  const isBounded = min !== undefined && max !== undefined && Number.isFinite(min) && Number.isFinite(max)
  return isBounded ? `${name}, ${written(what, min)} to ${written(what, max)}` : name
}
