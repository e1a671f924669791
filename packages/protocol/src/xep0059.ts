/** XEP-0059: Result Set Management, version 1.0. */
import { attr } from './attr.ts'
import { child, childText } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { text } from './text.ts'

export const NS_RSM = 'http://jabber.org/protocol/rsm'

/** Id of the first item of a page, with its position in the whole set where that is known (XEP-0059 §2.6). */
export const ResultSetFirst = element(NS_RSM, 'first', {
  index: attr.uint('index').optional(),
  id: text(),
})
export type ResultSetFirst = Infer<typeof ResultSetFirst>

/**
 * A page of a set, asked for or delivered. In requests `max` with `after`, `before` or `index`; an empty `before` asks
 * for the last page (§2.5). In results `first`, `last` and `count`; an empty result has only `count`.
 */
export const ResultSet = element(NS_RSM, 'set', {
  max: childText.uint('max').optional(),
  after: childText('after').optional(),
  before: childText('before').optional(),
  index: childText.uint('index').optional(),
  first: child(ResultSetFirst).optional(),
  last: childText('last').optional(),
  count: childText.uint('count').optional(),
})
export type ResultSet = Infer<typeof ResultSet>
export type ResultSetInput = Input<typeof ResultSet>
