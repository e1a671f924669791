/**
 * The bound of all output that waits for peers to read, beside the bound of each: many slow readers together must not take
 * the memory of the others. Whoever has most waiting is cut off first; with stream management its session survives that.
 */

/** What is needed of a connection. */
export interface Reader {
  readonly queuedBytes: number
}

export interface Weighed<R extends Reader> {
  /** Bytes that wait in all, those of the cut connections excluded. */
  readonly queuedBytes: number
  /** To be cut off, the largest first. */
  readonly cut: readonly R[]
}

/** Bytes that wait, and who has to go so that at most `bytesMax` are left. */
export function weighOutput<R extends Reader>(connections: Iterable<R>, bytesMax: number): Weighed<R> {
  let queuedBytes = 0
  const slow: R[] = []
  for (const connection of connections) {
    const bytes = connection.queuedBytes
    if (bytes === 0) continue
    queuedBytes += bytes
    slow.push(connection)
  }
  if (queuedBytes <= bytesMax) return { queuedBytes, cut: [] }
  const cut: R[] = []
  for (const connection of slow.sort((one, other) => other.queuedBytes - one.queuedBytes)) {
    if (queuedBytes <= bytesMax) break
    queuedBytes -= connection.queuedBytes
    cut.push(connection)
  }
  return { queuedBytes, cut }
}
