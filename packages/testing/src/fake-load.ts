/** A load that is what a test says. */
import type { Load, Pressure } from '@rollcall/ports'

export class FakeLoad implements Load {
  lag = 0
  busyShare = 0
  level: Pressure = 'normal'
  behind = false

  lagMs(): number {
    return this.lag
  }

  utilization(): number {
    return this.busyShare
  }

  pressure(): Pressure {
    return this.level
  }

  isBehind(): boolean {
    return this.behind
  }
}
