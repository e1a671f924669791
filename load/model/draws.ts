/**
 * Random draws that a seed repeats. Every client has its own stream, so that what one client does never depends on the
 * order in which others are served: the schedule of a run is a function of profile and seed alone.
 *
 * sfc32: four words of state, passes the usual batteries, a few nanoseconds a draw.
 */

const WARM_UP = 12
const TWO_32 = 0x1_0000_0000

/** One stream of draws; `seed` names the run, `stream` who draws in it. Not for secrets. */
export class Draws {
  private a: number
  private b: number
  private c = 0x9e3779b9
  private counter = 1

  constructor(seed: number, stream: number) {
    this.a = seed | 0
    this.b = stream | 0
    for (let round = 0; round < WARM_UP; round++) this.uint32()
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const sum = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum | 0
    return sum >>> 0
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    return this.uint32() / TWO_32
  }

  /** Uniform whole number in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound)
  }

  isChosen(share: number): boolean {
    return this.fraction() < share
  }

  between(min: number, max: number): number {
    return min + this.fraction() * (max - min)
  }

  /** Time to the next event of a Poisson process. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.fraction())
  }

  /** Standard normal (Box and Muller, one of the pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.fraction()))
    return radius * Math.cos(2 * Math.PI * this.fraction())
  }

  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal())
  }

  /** Density proportional to x^-exponent on [min, max]; the exponent is not 1. */
  powerLaw(exponent: number, min: number, max: number): number {
    const power = 1 - exponent
    const low = min ** power
    return (low + this.fraction() * (max ** power - low)) ** (1 / power)
  }
}

/** The mean of `powerLaw`; the exponent is neither 1 nor 2. */
export function powerLawMean(exponent: number, min: number, max: number): number {
  const norm = (max ** (1 - exponent) - min ** (1 - exponent)) / (1 - exponent)
  return (max ** (2 - exponent) - min ** (2 - exponent)) / (2 - exponent) / norm
}

/** Sigma of a log-normal distribution from its median and mean; 0 when the mean is not above the median. */
export function logNormalSigma(median: number, mean: number): number {
  return mean <= median ? 0 : Math.sqrt(2 * Math.log(mean / median))
}
