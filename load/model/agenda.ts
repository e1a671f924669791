/**
 * What is due when: a binary heap over typed arrays. An entry is a time and a key (client and kind of event in one
 * number); equal times come out in the order of their keys, so that a schedule repeats exactly.
 */

const ENTRIES_MAX = 16_777_216

export class Agenda {
  private times: Float64Array
  private keys: Float64Array
  private count = 0

  constructor(capacity = 1024) {
    this.times = new Float64Array(capacity)
    this.keys = new Float64Array(capacity)
  }

  get size(): number {
    return this.count
  }

  /** Time of the next entry; Infinity when there is none. */
  get nextTime(): number {
    return this.count === 0 ? Infinity : this.times[0]!
  }

  /** Key of the next entry. */
  get nextKey(): number {
    return this.keys[0]!
  }

  /** Adds an entry. Throws RangeError when there are 16 million. */
  add(time: number, key: number): void {
    if (this.count === this.times.length) this.grow()
    let at = this.count++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.isBefore(time, key, parent)) break
      this.times[at] = this.times[parent]!
      this.keys[at] = this.keys[parent]!
      at = parent
    }
    this.times[at] = time
    this.keys[at] = key
  }

  /** Removes the next entry. */
  shift(): void {
    const last = --this.count
    const time = this.times[last]!
    const key = this.keys[last]!
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= last) break
      if (child + 1 < last && this.isBefore(this.times[child + 1]!, this.keys[child + 1]!, child)) child++
      if (this.isBefore(time, key, child)) break
      this.times[at] = this.times[child]!
      this.keys[at] = this.keys[child]!
      at = child
    }
    this.times[at] = time
    this.keys[at] = key
  }

  clear(): void {
    this.count = 0
  }

  private isBefore(time: number, key: number, at: number): boolean {
    const other = this.times[at]!
    return time < other || (time === other && key < this.keys[at]!)
  }

  private grow(): void {
    if (this.count >= ENTRIES_MAX) throw new RangeError(`more than ${ENTRIES_MAX} events are due`)
    const times = new Float64Array(this.count * 2)
    const keys = new Float64Array(this.count * 2)
    times.set(this.times)
    keys.set(this.keys)
    this.times = times
    this.keys = keys
  }
}
