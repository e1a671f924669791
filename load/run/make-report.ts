/** What remains of a run: everything that reports are made from, as plain JSON. */
import type { Tally, FailureKind, Tallied } from '../check/violations.ts'
import type { PhaseReport, Recorder, Sample } from '../measure/recorder.ts'
import type { Profile } from '../model/profile.ts'
import type { RunSettings } from './settings.ts'
import type { Traffic } from './traffic.ts'

export const REPORT_FORMAT = 1

export interface RunReport {
  readonly format: typeof REPORT_FORMAT
  /** ISO 8601. */
  readonly startedAt: string
  readonly profile: Profile
  readonly server: { readonly name: string; readonly address: string; readonly tls: string; readonly domain: string; readonly isMeasured: boolean }
  readonly people: { readonly users: number; readonly clients: number; readonly pairs: number; readonly meanContacts: number; readonly maxContacts: number }
  readonly phases: readonly PhaseReport[]
  readonly counts: {
    readonly messagesSent: number
    readonly messagesDelivered: number
    /** Arrived after the session that they were for had ended. */
    readonly messagesLate: number
    readonly messagesBounced: number
    /** Under way when a session ended, and never seen: allowed. */
    readonly messagesExcused: number
    /** Due while nobody of the sender's contacts was online. */
    readonly messagesSkipped: number
    readonly presencesDelivered: number
    readonly presencesCoalesced: number
    readonly presencesRedundant: number
    readonly slowReadersDropped: number
  }
  readonly violations: readonly Tallied[]
  readonly failures: readonly Tallied[]
  readonly isInterrupted: boolean
  readonly warnings: readonly string[]
  readonly timeline: readonly Sample[]
}

export interface RunParts {
  readonly recorder: Recorder
  readonly traffic: Traffic
  readonly failures: Tally<FailureKind>
  readonly slowDroppedCount: number
  readonly isInterrupted: boolean
}

/** A generator that uses more of its core than this measures itself. */
const OWN_CORES_MAX = 0.9
/** Events that start later than this are the generator's fault, not the server's. */
const LATENESS_P99_US_MAX = 5000

export function makeReport({ profile, population, target }: RunSettings, startedAt: Date, parts: RunParts): RunReport {
  const { recorder, traffic } = parts
  const { graph, userCount, clientCount } = population
  let maxContacts = 0
  for (let user = 0; user < userCount; user++) maxContacts = Math.max(maxContacts, graph.starts[user + 1]! - graph.starts[user]!)
  const { endpoint } = target
  return {
    format: REPORT_FORMAT,
    startedAt: startedAt.toISOString(),
    profile,
    server: {
      name: target.name, address: `${endpoint.host}:${endpoint.port}`, tls: endpoint.tls, domain: endpoint.domain, isMeasured: target.pids.length > 0,
    },
    people: { users: userCount, clients: clientCount, pairs: traffic.pairs.size, meanContacts: graph.contacts.length / userCount, maxContacts },
    phases: recorder.phases,
    counts: {
      messagesSent: traffic.messages.sentCount,
      messagesDelivered: traffic.messages.deliveredCount,
      messagesLate: traffic.messages.lateCount,
      messagesBounced: traffic.messages.bouncedCount,
      messagesExcused: traffic.messages.maybeCount,
      messagesSkipped: traffic.skippedCount,
      presencesDelivered: traffic.presences.deliveredCount,
      presencesCoalesced: traffic.presences.coalescedCount,
      presencesRedundant: traffic.presences.redundantCount,
      slowReadersDropped: parts.slowDroppedCount,
    },
    violations: traffic.violations.list(),
    failures: parts.failures.list(),
    isInterrupted: parts.isInterrupted,
    warnings: warningsOf(recorder.phases, parts.isInterrupted),
    timeline: recorder.samples,
  }
}

function warningsOf(phases: readonly PhaseReport[], isInterrupted: boolean): string[] {
  const warnings = isInterrupted ? ['the run was ended early'] : []
  for (const { name, seconds, ownCpuSeconds, operations } of phases) {
    if (name === 'drain' || seconds === 0) continue
    const cores = ownCpuSeconds / seconds
    const lateUs = operations.find((operation) => operation.name === 'lateness')?.p99Us ?? 0
    if (cores > OWN_CORES_MAX) warnings.push(`${name}: the generator used ${cores.toFixed(2)} cores, so it may be the limit, not the server`)
    if (lateUs > LATENESS_P99_US_MAX) warnings.push(`${name}: events began up to ${(lateUs / 1000).toFixed(1)} ms late (p99): latencies include that`)
  }
  return warnings
}

/** Whether the server did everything right. */
export function isClean({ violations, failures }: RunReport): boolean {
  return violations.length === 0 && failures.length === 0
}
