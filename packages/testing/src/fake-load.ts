/** A load that is what a test says. */
import type { Load } from '@rollcall/ports'

export class FakeLoad implements Load {
  lag = 0
  busyShare = 0

  lagMs(): number {
    return this.lag
  }

  utilization(): number {
    return this.busyShare
  }
}
