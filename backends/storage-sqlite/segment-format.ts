/**
 * How entries of a log lie in a row of the file: a `head`, the JSON array of id, time, contact and length of each, and the
 * values one after the other. What a filter looks at is read without the values, and no value is parsed.
 */

/** An entry as the tables keep it; `value` is JSON text. */
export interface Entry {
  readonly id: string
  readonly at: number
  readonly peer: string
  readonly value: string
}

/** Characters an entry takes, about; what sizes are counted in. */
export const sizeOf = ({ id, peer, value }: Entry): number => id.length + peer.length + value.length + 24

export function encodeHead(entries: readonly Entry[]): string {
  const cells: (string | number)[] = []
  for (const { id, at, peer, value } of entries) cells.push(id, at, peer, value.length)
  return JSON.stringify(cells)
}

export function encodeData(entries: readonly Entry[]): string {
  let data = ''
  for (const { value } of entries) data += value
  return data
}

/** The entries of a row; without `data` their values are ''. */
export function decode(head: string, data?: string): Entry[] {
  const cells = JSON.parse(head) as (string | number)[]
  const entries: Entry[] = []
  let start = 0
  for (let at = 0; at < cells.length; at += 4) {
    const end = start + (cells[at + 3] as number)
    entries.push({ id: cells[at] as string, at: cells[at + 1] as number, peer: cells[at + 2] as string, value: data?.slice(start, end) ?? '' })
    start = end
  }
  return entries
}
