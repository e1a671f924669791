/** The edge's metrics: handles made once, so that the hot path only adds to fields. */
import type { CounterMetric, HistogramMetric, Metrics } from '@rollcall/ports'
import type { StreamErrorCondition } from './stream-wire.ts'

export class EdgeMetrics {
  readonly bytesIn: CounterMetric
  readonly bytesOut: CounterMetric
  readonly stanzasIn: CounterMetric
  readonly stanzasRefused: CounterMetric
  readonly overflows: CounterMetric
  readonly throttles: CounterMetric
  readonly shares: CounterMetric
  readonly handedOn: CounterMetric
  readonly tlsFailures: CounterMetric
  readonly handshakeSeconds: HistogramMetric
  /** TLS connections that have left OpenSSL. */
  compactCount = 0
  readonly negotiationSeconds: HistogramMetric
  readonly #metrics: Metrics
  /** By metric, then by the value of its label. */
  readonly #labelled = new Map<string, Map<string, CounterMetric>>()

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    this.bytesIn = metrics.counter('rollcall_edge_received_bytes_total', 'Bytes of XML received, TLS and HTTP framing excluded.')
    this.bytesOut = metrics.counter('rollcall_edge_sent_bytes_total', 'Bytes of XML sent, TLS and HTTP framing excluded.')
    this.stanzasIn = metrics.counter('rollcall_edge_stanzas_in_total', 'Stanzas passed on to a core.')
    this.stanzasRefused = metrics.counter('rollcall_edge_stanzas_refused_total', 'Stanzas answered with an error by the edge itself.')
    this.overflows = metrics.counter('rollcall_edge_output_overflows_total', 'Connections closed because the peer did not read.')
    this.throttles = metrics.counter('rollcall_edge_input_throttles_total', 'Times that a connection was not read because it sent too fast.')
    this.shares = metrics.counter('rollcall_edge_input_shares_total', 'Times that a connection had sent its share of a turn and let others go first.')
    this.handedOn = metrics.counter('rollcall_edge_handed_on_total', 'Clients whose connection went to the member that owns their account.')
    this.tlsFailures = metrics.counter('rollcall_edge_tls_failures_total', 'TLS handshakes that failed.')
    this.handshakeSeconds = metrics.histogram('rollcall_edge_tls_handshake_seconds', 'Duration of TLS handshakes.', [0.01, 0.05, 0.1, 0.25, 1, 5])
    this.negotiationSeconds = metrics.histogram(
      'rollcall_edge_negotiation_seconds', 'Time from accept to a bound resource.', [0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    )
  }

  /** A stream ended with this error, sent by us. */
  streamError(condition: StreamErrorCondition): void {
    this.#count('rollcall_edge_stream_errors_total', 'Stream errors sent.', 'condition', condition)
  }

  /** A SASL attempt ended: `success` or its condition. */
  auth(result: string): void {
    this.#count('rollcall_edge_auth_total', 'SASL attempts by result.', 'result', result)
  }

  /** A connection was accepted, or refused for the reason. */
  accepted(result: string): void {
    this.#count('rollcall_edge_accepts_total', 'Connections by what became of them.', 'result', result)
  }

  /** Gauges that are read when scraped. */
  observe(name: string, help: string, read: () => number, labels?: Readonly<Record<string, string>>): void {
    this.#metrics.observedGauge(name, help, read, labels)
  }

  #count(name: string, help: string, label: string, value: string): void {
    let counters = this.#labelled.get(name)
    if (counters === undefined) this.#labelled.set(name, counters = new Map())
    let counter = counters.get(value)
    if (counter === undefined) counters.set(value, counter = this.#metrics.counter(name, help, { [label]: value }))
    counter.add(1)
  }
}
