/**
 * Output of all clients, written once per turn of the event loop: a socket write costs some 5 µs however small it is, so
 * whatever a client says in one turn goes out in one write.
 */

/** Something with output to write. */
export interface Flushable {
  flush(): void
}

export class Outbox {
  private waiting: Flushable[] = []
  private isScheduled = false

  /** `item` has something to write; called once per item and flush. */
  add(item: Flushable): void {
    this.waiting.push(item)
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => this.flush())
  }

  /** Writes now. */
  flush(): void {
    this.isScheduled = false
    const items = this.waiting
    this.waiting = []
    for (const item of items) item.flush()
  }
}
