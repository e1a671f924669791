/** What a client asks its archive for (XEP-0313 §4), as a query of the store. */
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { ArchiveQuery } from '@rollcall/ports'
import { formTypeOf, LexicalError, NS_FULL_TEXT, NS_MAM, parseDateTime } from '@rollcall/protocol'
import type { DataForm, MamQuery } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'

/** The field that searches texts (XEP-0431). */
export const FULL_TEXT_FIELD = `{${NS_FULL_TEXT}}fulltext`

/** Ids in one query. */
const IDS_MAX = 500
/** Characters of a text to search for. */
const SEARCH_CHARS_MAX = 500

export interface QueryPlan {
  readonly filter: Omit<ArchiveQuery, 'limit'>
  /** The other side must be exactly this resource; the filter has its bare JID. */
  readonly resource: Jid | undefined
  /** Ids that bound the result like those of the filter do, but less tightly: they must exist all the same. */
  readonly otherIds: readonly string[]
  /** Messages wished for; 0 for the number of matching ones only (XEP-0059 §2.7). */
  readonly max: number
  readonly isFlipped: boolean
  readonly queryId: string | undefined
}

export interface QueryLimits {
  /** Messages of a page when the client names no number. */
  readonly pageDefault: number
  readonly pageMax: number
  readonly isSearchable: boolean
}

/** Throws `StanzaError`: `bad-request`, `feature-not-implemented` (§4.1.5), `not-acceptable`. */
export function planQuery(query: MamQuery, limits: QueryLimits): QueryPlan {
  if (query.node !== undefined) throw new StanzaError('feature-not-implemented', 'There is no publish-subscribe node here')
  const { page } = query
  if (page?.index !== undefined) throw new StanzaError('feature-not-implemented', 'Pages are not numbered')
  const form = query.form === undefined ? new Map<string, readonly string[]>() : readForm(query.form, limits.isSearchable)
  const one = (name: string): string | undefined => {
    const value = form.get(name)?.[0]
    return value === '' ? undefined : value
  }
  const ids = form.get('ids')?.filter((id) => id !== '')
  if (ids !== undefined && ids.length > IDS_MAX) throw new StanzaError('not-acceptable', `More than ${IDS_MAX} ids`)
  const peer = readJid(one('with'))
  const [after, looserAfter] = inOrder(one('after-id'), page?.after === '' ? undefined : page?.after)
  const [looserBefore, before] = inOrder(one('before-id'), page?.before === '' ? undefined : page?.before)
  return {
    filter: {
      ...(peer === undefined ? {} : { with: peer.bare.toString() }),
      ...optional('start', readTime('start', one('start'))), ...optional('end', readTime('end', one('end'))),
      ...optional('after', after), ...optional('before', before ?? looserBefore),
      ...(ids === undefined || ids.length === 0 ? {} : { ids }),
      ...optional('text', readSearch(one(FULL_TEXT_FIELD))),
      ...(page?.before === undefined ? {} : { isBackward: true }),
    },
    resource: peer?.isFull === true ? peer : undefined,
    otherIds: [looserAfter, before === undefined ? undefined : looserBefore].filter((id) => id !== undefined),
    max: Math.min(page?.max ?? limits.pageDefault, limits.pageMax),
    isFlipped: query.isFlipped,
    queryId: query.queryId,
  }
}

/** The later one first, an absent one last. Ids of one archive sort by time. */
function inOrder(one: string | undefined, other: string | undefined): readonly [string | undefined, string | undefined] {
  if (one === undefined || other === undefined) return [one ?? other, undefined]
  if (one === other) return [one, undefined]
  return one > other ? [one, other] : [other, one]
}

const KNOWN = new Set(['FORM_TYPE', 'with', 'start', 'end', 'before-id', 'after-id', 'ids', 'include-groupchat'])

function readForm(form: DataForm, isSearchable: boolean): Map<string, readonly string[]> {
  if (form.type !== 'submit') throw new StanzaError('bad-request', 'The form is not submitted')
  if (formTypeOf(form) !== NS_MAM) throw new StanzaError('bad-request', `FORM_TYPE is not ${NS_MAM}`)
  const fields = new Map<string, readonly string[]>()
  for (const field of form.fields) {
    const name = field.var ?? ''
    if (!KNOWN.has(name) && !(isSearchable && name === FULL_TEXT_FIELD)) {
      throw new StanzaError('feature-not-implemented', `The field ${name} is not known`)
    }
    fields.set(name, field.values)
  }
  return fields
}

function readJid(text: string | undefined): Jid | undefined {
  if (text === undefined) return undefined
  const jid = tryParseJid(text)
  if (jid === undefined) throw new StanzaError('jid-malformed', 'The field with is not an address')
  return jid
}

function readTime(name: string, text: string | undefined): number | undefined {
  try {
    return text === undefined ? undefined : parseDateTime(text)
  } catch (error) {
    if (error instanceof LexicalError) throw new StanzaError('bad-request', `${name}: ${error.message}`)
    throw error
  }
}

function readSearch(text: string | undefined): string | undefined {
  if (text !== undefined && text.length > SEARCH_CHARS_MAX) throw new StanzaError('not-acceptable', 'The text to search for is too long')
  return text
}

function optional<K extends string, V>(name: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [P in K]: V })
}
