/**
 * The bus between members: the only way from an edge to a core and from one core to another.
 *
 * Delivery: at most once. Order: FIFO per (sender, destination). Crash: what was in flight to or from a dead member is
 * lost, its pending requests reject with `BusError('no-responder' | 'timeout')`. Messages sent in one turn of the event
 * loop travel together; a handler never runs inside the sender's call, on any backend, so that code which works on the
 * in-process bus works on the others. A message is immutable once sent (the in-process bus passes it by reference).
 */

export type MemberId = string

/** Every message is a tagged record; the server's message tables narrow `kind`. */
export interface BusMessage {
  readonly kind: string
}

export class BusError extends Error {
  readonly code: 'timeout' | 'no-responder' | 'closed' | 'remote'
  constructor(code: 'timeout' | 'no-responder' | 'closed' | 'remote', message: string) {
    super(message)
    this.name = 'BusError'
    this.code = code
  }
}

export interface BusHandler<M extends BusMessage> {
  /** One-way messages. */
  receive(from: MemberId, message: M): void
  /** Requests: the value becomes the reply; a throw rejects the requester with `remote`. */
  answer(from: MemberId, message: M): Promise<unknown>
}

export interface Bus<M extends BusMessage = BusMessage> {
  readonly memberId: MemberId
  attach(handler: BusHandler<M>): void
  send(to: MemberId, message: M): void
  /**
   * Writes what was sent to that member so far without waiting for the end of the turn, and calls `then` once nobody can take it
   * back: from then on the other gets it even if this process is killed. At once where that is so at once; never when the member
   * is gone.
   */
  afterWritten(to: MemberId, then: () => void): void
  request(to: MemberId, message: M, timeoutMs: number): Promise<unknown>
  close(): Promise<void>
}
