/** Metrics for tests: `nullMetrics` forgets, `recordingMetrics` answers what was counted. */
import type { Metrics } from '@rollcall/ports'

type Labels = Readonly<Record<string, string>>

/** Metrics that cost and keep nothing. */
export const nullMetrics: Metrics = {
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {} }),
  observedGauge: () => {},
  histogram: () => ({ observe: () => {} }),
}

export interface RecordingMetrics extends Metrics {
  /** Current value of a counter or gauge (observed ones are read now); undefined when nobody made it. */
  value(name: string, labels?: Labels): number | undefined
  /** Everything a histogram observed, in order; empty when nobody made it. */
  observations(name: string, labels?: Labels): readonly number[]
}

const keyOf = (name: string, labels: Labels = {}): string =>
  `${name}${JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)))}`

/** Metrics that keep every value by name and labels; making the same metric twice continues it. */
export function recordingMetrics(): RecordingMetrics {
  const values = new Map<string, number>()
  const reads = new Map<string, () => number>()
  const observed = new Map<string, number[]>()
  const start = (key: string): string => {
    if (!values.has(key)) values.set(key, 0)
    return key
  }
  return {
    counter(name, _help, labels) {
      const key = start(keyOf(name, labels))
      return { add: amount => void values.set(key, values.get(key)! + amount) }
    },
    gauge(name, _help, labels) {
      const key = start(keyOf(name, labels))
      return { set: value => void values.set(key, value) }
    },
    observedGauge(name, _help, read, labels) {
      reads.set(keyOf(name, labels), read)
    },
    histogram(name, _help, _buckets, labels) {
      const key = keyOf(name, labels)
      const list = observed.get(key) ?? []
      observed.set(key, list)
      return { observe: value => void list.push(value) }
    },
    value(name, labels) {
      const key = keyOf(name, labels)
      return reads.get(key)?.() ?? values.get(key)
    },
    observations: (name, labels) => observed.get(keyOf(name, labels)) ?? [],
  }
}
