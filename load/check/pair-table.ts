/**
 * A number for every directed pair (receiving client, source client) between which something may flow: contacts, and
 * the clients of one user among themselves. Everything that is known of a pair lives in typed arrays under that number:
 * some twenty bytes a pair, where maps of strings would take hundreds.
 *
 * Rows are compressed and ascending, so the number of a pair is found by halving the receiver's row.
 */
import type { Population } from '../model/population.ts'

const PAIRS_MAX = 50_000_000

export class PairTable {
  /** Pairs of `receiver` are `starts[receiver] .. starts[receiver + 1]`. */
  readonly starts: Uint32Array
  /** Source client of a pair. */
  readonly sources: Uint32Array

  /** Throws RangeError when there are more than 50 million pairs. */
  constructor(population: Population) {
    const { clientCount, clientUsers } = population
    this.starts = new Uint32Array(clientCount + 1)
    for (let client = 0; client < clientCount; client++) {
      this.starts[client + 1] = this.starts[client]! + rowLength(population, clientUsers[client]!)
      if (this.starts[client + 1]! > PAIRS_MAX) throw new RangeError(`more than ${PAIRS_MAX} pairs of clients: fewer users or contacts`)
    }
    this.sources = new Uint32Array(this.starts[clientCount]!)
    for (let client = 0; client < clientCount; client++) {
      fillRow(population, clientUsers[client]!, this.sources.subarray(this.starts[client], this.starts[client + 1]))
    }
  }

  get size(): number {
    return this.sources.length
  }

  /** Number of the pair, -1 when nothing may flow from `source` to `receiver`. */
  find(receiver: number, source: number): number {
    const { sources, starts } = this
    let low = starts[receiver]!
    let high = starts[receiver + 1]! - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const found = sources[middle]!
      if (found === source) return middle
      if (found < source) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}

function rowLength({ graph, clientStarts }: Population, user: number): number {
  let length = clientStarts[user + 1]! - clientStarts[user]!
  for (let at = graph.starts[user]!; at < graph.starts[user + 1]!; at++) {
    const contact = graph.contacts[at]!
    length += clientStarts[contact + 1]! - clientStarts[contact]!
  }
  return length
}

function fillRow({ graph, clientStarts }: Population, user: number, row: Uint32Array): void {
  let length = 0
  const add = (contact: number): void => {
    for (let client = clientStarts[contact]!; client < clientStarts[contact + 1]!; client++) row[length++] = client
  }
  let isOwnDone = false
  for (let at = graph.starts[user]!; at < graph.starts[user + 1]!; at++) {
    const contact = graph.contacts[at]!
    if (!isOwnDone && contact > user) {
      add(user)
      isOwnDone = true
    }
    add(contact)
  }
  if (!isOwnDone) add(user)
}
