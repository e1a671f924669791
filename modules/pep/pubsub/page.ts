/** Which items of a node an answer has: by id, the newest, or a page (XEP-0060 §6.5, XEP-0059). */
import type { PubsubItems, ResultSet, ResultSetInput } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { ItemRef } from './node.ts'

export interface Page {
  readonly items: readonly ItemRef[]
  /** Where the page is in the whole; undefined when it is the whole and nobody asked. */
  readonly position: ResultSetInput | undefined
}

/** `refs` in the order of publication; at most `bytesMax` bytes of payload come together. Throws StanzaError. */
export function pageOf(refs: readonly ItemRef[], request: PubsubItems, asked: ResultSet | undefined, bytesMax: number): Page {
  if (request.items.length > 0) {
    const wanted = new Set(request.items.map((item) => item.id))
    return fit(refs, refs.filter((ref) => wanted.has(ref.id)), false, undefined, bytesMax)
  }
  if (request.max !== undefined) {
    const newest = request.max === 0 ? [] : refs.slice(-request.max)
    return fit(refs, newest, true, asked, bytesMax)
  }
  if (asked === undefined) return fit(refs, refs, false, undefined, bytesMax)
  if (asked.index !== undefined) throw new StanzaError('feature-not-implemented', 'Pages are asked for by item, not by index')
  if (asked.max === 0) return { items: [], position: { count: refs.length } }
  const isBackward = asked.before !== undefined
  const start = asked.after === undefined ? 0 : placeOf(refs, asked.after) + 1
  const end = asked.before === undefined || asked.before === '' ? refs.length : placeOf(refs, asked.before)
  const between = refs.slice(start, Math.max(start, end))
  const max = asked.max ?? between.length
  return fit(refs, isBackward ? between.slice(-max) : between.slice(0, max), isBackward, asked, bytesMax)
}

/** XEP-0059 §2.2: an item that is not there any more. */
function placeOf(refs: readonly ItemRef[], id: string): number {
  const place = refs.findIndex((ref) => ref.id === id)
  if (place === -1) throw new StanzaError('item-not-found')
  return place
}

/** §6.5.4: what does not fit is left out, and the answer says so. */
function fit(all: readonly ItemRef[], chosen: readonly ItemRef[], isBackward: boolean, asked: ResultSet | undefined, bytesMax: number): Page {
  const order = isBackward ? [...chosen].reverse() : chosen
  let bytes = 0
  const fitting: ItemRef[] = []
  for (const ref of order) {
    bytes += ref.bytes
    // One item always goes: it was small enough to be published.
    if (bytes > bytesMax && fitting.length > 0) break
    fitting.push(ref)
  }
  const items = isBackward ? fitting.reverse() : fitting
  if (asked === undefined && items.length === chosen.length) return { items, position: undefined }
  const [first, last] = [items[0], items.at(-1)]
  if (first === undefined || last === undefined) return { items, position: { count: all.length } }
  return { items, position: { first: { id: first.id, index: all.indexOf(first) }, last: last.id, count: all.length } }
}
