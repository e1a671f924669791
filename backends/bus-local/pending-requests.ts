/**
 * Requests that wait for their reply, and their time-outs.
 *
 * A timer per request would cost more than the request. Requests with the same time-out fall due in the order in which they
 * were made, so each time-out value has a first-in-first-out line and one timer for its head; callers use few values.
 */
import { BusError } from '@rollcall/ports'
import type { Clock, MemberId, Timer } from '@rollcall/ports'

interface Pending {
  readonly to: MemberId
  resolve(value: unknown): void
  reject(error: BusError): void
}
interface Line {
  /** Serials and due times in order; the answered ones are skipped when their turn comes. */
  readonly dues: { readonly serial: number; readonly dueMs: number }[]
  head: number
  timer: Timer | undefined
}

/** Shorter heads are not worth the copy. */
const TRIM_MIN = 1024

export class PendingRequests {
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  readonly #lines = new Map<number, Line>()
  #serial = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#pending.size
  }

  add(to: MemberId, timeoutMs: number, resolve: (value: unknown) => void, reject: (error: BusError) => void): number {
    const serial = ++this.#serial
    this.#pending.set(serial, { to, resolve, reject })
    let line = this.#lines.get(timeoutMs)
    if (!line) this.#lines.set(timeoutMs, (line = { dues: [], head: 0, timer: undefined }))
    this.#trim(line)
    line.dues.push({ serial, dueMs: this.#clock.monotonic() + timeoutMs })
    if (!line.timer) this.#arm(timeoutMs, line)
    return serial
  }

  settle(serial: number, error: BusError | undefined, value: unknown): void {
    const pending = this.#pending.get(serial)
    if (!pending) return
    this.#pending.delete(serial)
    if (error) pending.reject(error)
    else pending.resolve(value)
  }

  /** Rejects everything, or everything asked of one member. */
  rejectAll(error: BusError, to?: MemberId): void {
    for (const [serial, pending] of this.#pending) if (to === undefined || pending.to === to) this.settle(serial, error, undefined)
    if (this.#pending.size > 0) return
    for (const line of this.#lines.values()) line.timer?.cancel()
    this.#lines.clear()
  }

  /** Forgets answered requests at the head, so that a line is about as long as what is really pending. */
  #trim(line: Line): void {
    while (line.head < line.dues.length && !this.#pending.has(line.dues[line.head]!.serial)) line.head++
    if (line.head < TRIM_MIN || line.head * 2 < line.dues.length) return
    line.dues.splice(0, line.head)
    line.head = 0
  }

  #arm(timeoutMs: number, line: Line): void {
    const delayMs = Math.max(0, line.dues[line.head]!.dueMs - this.#clock.monotonic())
    line.timer = this.#clock.after(delayMs, () => this.#expire(timeoutMs, line))
  }

  #expire(timeoutMs: number, line: Line): void {
    line.timer = undefined
    const nowMs = this.#clock.monotonic()
    for (; line.head < line.dues.length; line.head++) {
      const { serial, dueMs } = line.dues[line.head]!
      const pending = this.#pending.get(serial)
      if (!pending) continue
      if (dueMs > nowMs) break
      this.settle(serial, new BusError('timeout', `no reply of ${pending.to} within ${timeoutMs} ms`), undefined)
    }
    line.dues.splice(0, line.head)
    line.head = 0
    if (line.dues.length === 0) this.#lines.delete(timeoutMs)
    else this.#arm(timeoutMs, line)
  }
}
