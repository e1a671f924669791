/** Counting the items of a roster without decoding it: rosters of a test have hundreds, and only their number is checked. */

const ITEM = '<item'

/** Items in the wire string of a roster result. */
export function countItems(wire: string): number {
  let count = 0
  for (let at = wire.indexOf(ITEM); at >= 0; at = wire.indexOf(ITEM, at + ITEM.length)) count++
  return count
}
