/**
 * The real metrics: plain fields that the hot path increments, read by prom-client when somebody scrapes.
 *
 * prom-client's own counters hash their labels on every update; here the labels are bound once, when the handle is made.
 * Its registry renders anything that answers `get()`, which is the seam used: one `Family` per metric name.
 */
import { Registry, collectDefaultMetrics } from 'prom-client'
import type { Metric } from 'prom-client'
import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from '@rollcall/ports'

type Labels = Readonly<Record<string, string>>
type Kind = 'counter' | 'gauge' | 'histogram'

interface Sample {
  readonly metricName?: string
  readonly labels: Record<string, string | number>
  readonly value: number
}
interface Child {
  samples(name: string, labels: Labels): Sample[]
}

class Counter implements CounterMetric, Child {
  #value = 0
  add(amount: number): void {
    this.#value += amount
  }
  samples(_name: string, labels: Labels): Sample[] {
    return [{ labels, value: this.#value }]
  }
}

class Gauge implements GaugeMetric, Child {
  #value = 0
  set(value: number): void {
    this.#value = value
  }
  samples(_name: string, labels: Labels): Sample[] {
    return [{ labels, value: this.#value }]
  }
}

class ObservedGauge implements Child {
  readonly #read: () => number
  constructor(read: () => number) {
    this.#read = read
  }
  samples(_name: string, labels: Labels): Sample[] {
    return [{ labels, value: this.#read() }]
  }
}

class Histogram implements HistogramMetric, Child {
  readonly #buckets: readonly number[]
  readonly #counts: Float64Array
  #sum = 0
  constructor(buckets: readonly number[]) {
    this.#buckets = buckets.toSorted((one, other) => one - other)
    this.#counts = new Float64Array(buckets.length + 1)
  }
  observe(value: number): void {
    const buckets = this.#buckets
    let at = 0
    while (at < buckets.length && value > buckets[at]!) at++
    this.#counts[at]!++
    this.#sum += value
  }
  samples(name: string, labels: Labels): Sample[] {
    let count = 0
    const bounds = [...this.#buckets, Infinity].map((bound, at) => {
      count += this.#counts[at]!
      return { metricName: `${name}_bucket`, labels: { ...labels, le: bound === Infinity ? '+Inf' : bound }, value: count }
    })
    return [...bounds, { metricName: `${name}_sum`, labels, value: this.#sum }, { metricName: `${name}_count`, labels, value: count }]
  }
}

/** One metric name with a child per label set; the shape prom-client's registry renders. */
class Family {
  readonly name: string
  readonly help: string
  readonly type: Kind
  readonly #children = new Map<string, { readonly labels: Labels; readonly child: Child }>()

  constructor(name: string, help: string, type: Kind) {
    this.name = name
    this.help = help
    this.type = type
  }

  child<C extends Child>(labels: Labels, make: () => C): C {
    const key = JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)))
    const known = this.#children.get(key)
    if (known) return known.child as C
    const child = make()
    this.#children.set(key, { labels, child })
    return child
  }

  replace(labels: Labels, child: Child): void {
    this.#children.delete(JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1))))
    this.child(labels, () => child)
  }

  async get(): Promise<{ name: string; help: string; type: Kind; values: Sample[]; aggregator: 'sum' }> {
    const values = Array.from(this.#children.values(), ({ labels, child }) => child.samples(this.name, labels)).flat()
    return { name: this.name, help: this.help, type: this.type, values, aggregator: 'sum' }
  }
}

export interface RuntimeMetrics extends Metrics {
  /** The Prometheus text format, with the process's own metrics (CPU, memory, GC). */
  text(): Promise<string>
  /** Of `text()`. */
  readonly contentType: string
}

export interface MetricsOptions {
  /** Process metrics (CPU, memory, GC); true unless told. */
  readonly hasProcessMetrics?: boolean
}

/** Longer than a timer of Node's may be, in ms: never. */
const NEVER_MS = 2 ** 31 - 1

/**
 * All of prom-client's but the lag of the event loop, for which it has a timer of 10 ms: it would be what keeps an idle
 * server awake. `turnHistogram` says the same of a server that works.
 */
function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS })
  for (const { name } of registry.getMetricsAsArray()) if (name.startsWith('nodejs_eventloop_lag')) registry.removeSingleMetric(name)
}

/** Lengths of turns of the event loop, in seconds. */
export function turnHistogram(metrics: Metrics): HistogramMetric {
  const bounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]
  return metrics.histogram('rollcall_turn_seconds', 'Lengths of turns of the event loop, of which some are measured while there is work.', bounds)
}

/** Making a metric twice (same name and labels) continues it; the same name with another type throws `Error`. */
export function createMetrics({ hasProcessMetrics = true }: MetricsOptions = {}): RuntimeMetrics {
  const registry = new Registry()
  const families = new Map<string, Family>()
  if (hasProcessMetrics) collectProcessMetrics(registry)
  const family = (name: string, help: string, type: Kind): Family => {
    const known = families.get(name)
    if (known && known.type !== type) throw new Error(`metric ${name} is a ${known.type}, not a ${type}`)
    if (known) return known
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`metric name ${name} is not snake_case`)
    const made = new Family(name, help, type)
    families.set(name, made)
    registry.registerMetric(made as unknown as Metric)
    return made
  }
  return {
    counter: (name, help, labels = {}) => family(name, help, 'counter').child(labels, () => new Counter()),
    gauge: (name, help, labels = {}) => family(name, help, 'gauge').child(labels, () => new Gauge()),
    observedGauge: (name, help, read, labels = {}) => family(name, help, 'gauge').replace(labels, new ObservedGauge(read)),
    histogram: (name, help, buckets, labels = {}) =>
      family(name, help, 'histogram').child(labels, () => new Histogram(buckets)),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
