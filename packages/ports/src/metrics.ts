/** Metrics as a port. Handles are made once at set-up; updating one is a field increment, so the hot path may. */
import { definePort } from './token.ts'

export interface CounterMetric {
  add(amount: number): void
}
export interface GaugeMetric {
  set(value: number): void
}
export interface HistogramMetric {
  /** `value` in the metric's base unit (seconds, bytes, items). */
  observe(value: number): void
}

/** Names follow Prometheus: snake_case, `_total` for counters, the base unit last. One handle per label set. */
export interface Metrics {
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): CounterMetric
  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): GaugeMetric
  /** A gauge whose value is read when scraped: costs nothing in between. */
  observedGauge(name: string, help: string, read: () => number, labels?: Readonly<Record<string, string>>): void
  histogram(name: string, help: string, buckets: readonly number[], labels?: Readonly<Record<string, string>>): HistogramMetric
}
export const Metrics = definePort<Metrics>('metrics')
