/**
 * What is hashed: disco#info in the one order that both sides agree on, by XEP-0115 §5.1 and by XEP-0390 §4.1.
 *
 * How it works: both sort by bytes (i;octet). Texts become wire strings first, one character per UTF-8 byte, so that the
 * order of JavaScript strings is the order of bytes and the result turns into bytes without another encoding.
 */
import type { DataForm, DiscoIdentity, DiscoInfo } from '@rollcall/protocol'
import { latin1ToBytes, toWire } from '@rollcall/xml'

/** Byte order; `sort()` without it would compare the same way, but says less. */
const byBytes = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)

function hasDuplicates(texts: readonly string[]): boolean {
  return new Set(texts).size !== texts.length
}

function formTypes(form: DataForm): readonly string[] | undefined {
  const field = form.fields.find((candidate) => candidate.var === 'FORM_TYPE')
  return field?.type === 'hidden' && field.values.length > 0 ? field.values : undefined
}

/**
 * XEP-0115 §5.1. Undefined when the information is ill-formed (§5.4): anything said twice, or a text with the separator
 * `<` in it, which would let different information have the same string.
 */
export function capsInput(info: DiscoInfo): Uint8Array | undefined {
  const identities = info.identities.map(identityText)
  const features = info.features.map((feature) => feature.var)
  const typed = info.forms.flatMap((form) => {
    const types = formTypes(form)
    // §5.4 point 3f: a form without a proper FORM_TYPE is passed over.
    return types === undefined ? [] : [{ form, types }]
  })
  if (typed.some(({ types }) => new Set(types).size > 1)) return undefined
  if (hasDuplicates(identities) || hasDuplicates(features) || hasDuplicates(typed.map(({ types }) => types[0] as string))) return undefined
  const parts = [...identities.map(toWire).sort(byBytes), ...features.map(toWire).sort(byBytes)]
  for (const { form, types } of typed.sort((one, other) => byBytes(toWire(one.types[0] as string), toWire(other.types[0] as string)))) {
    parts.push(toWire(types[0] as string), ...formParts(form))
  }
  return parts.some((part) => part.includes('<')) ? undefined : latin1ToBytes(parts.map((part) => `${part}<`).join(''))
}

function identityText({ category, type, lang, name }: DiscoIdentity): string {
  return `${category}/${type}/${lang ?? ''}/${name ?? ''}`
}

function formParts(form: DataForm): string[] {
  return form.fields
    .filter((field) => field.var !== 'FORM_TYPE')
    .map((field) => ({ name: toWire(field.var ?? ''), values: field.values.map(toWire).sort(byBytes) }))
    .sort((one, other) => byBytes(one.name, other.name))
    .flatMap(({ name, values }) => [name].concat(values))
}

const UNIT = '\x1f'
const RECORD = '\x1e'
const GROUP = '\x1d'
const FILE = '\x1c'

const joined = (parts: readonly string[]) => parts.toSorted(byBytes).join('')

/**
 * XEP-0390 §4.1. `lang` is the language in force around the information, for identities that name none. Undefined where
 * the algorithm ends with an error: forms with tables, or without FORM_TYPE.
 */
export function caps2Input(info: DiscoInfo, lang = ''): Uint8Array | undefined {
  if (info.forms.some((form) => form.reported !== undefined || form.items.length > 0 || formTypes(form) === undefined)) return undefined
  const features = joined(info.features.map((feature) => toWire(feature.var) + UNIT))
  const identities = joined(info.identities.map((identity) =>
    [identity.category, identity.type, identity.lang ?? lang, identity.name ?? ''].map((text) => toWire(text) + UNIT).join('') + RECORD))
  const forms = joined(info.forms.map((form) => joined(form.fields.map((field) =>
    toWire(field.var ?? '') + UNIT + joined(field.values.map((value) => toWire(value) + UNIT)) + RECORD)) + GROUP))
  return latin1ToBytes(features + FILE + identities + FILE + forms + FILE)
}
