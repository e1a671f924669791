/** The figures that reports compare: derived from a run once, for text, HTML and tables alike. */
import type { OperationName, OperationReport, PhaseName, PhaseReport } from '../measure/recorder.ts'
import type { RunReport } from '../run/make-report.ts'
import { count, mebibytes, ms } from './numbers.ts'

export function phaseOf(report: RunReport, name: PhaseName): PhaseReport | undefined {
  return report.phases.find((phase) => phase.name === name)
}

export function operationOf(report: RunReport, phase: PhaseName, name: OperationName): OperationReport | undefined {
  const found = phaseOf(report, phase)?.operations.find((operation) => operation.name === name)
  return found === undefined || found.count === 0 ? undefined : found
}

export interface Figure {
  readonly label: string
  readonly text: string
}

const NONE = '-'

/** One line per figure, in the same order for every report. */
export function figuresOf(report: RunReport): Figure[] {
  const { people, violations, failures, timeline } = report
  const run = phaseOf(report, 'run')
  const ramp = phaseOf(report, 'ramp')
  const rate = (total: number | undefined): string => (run === undefined || total === undefined || run.seconds === 0 ? NONE : count(total / run.seconds))
  const sum = (list: RunReport['violations']): string => (list.length === 0 ? '0' : list.map(({ kind, count: times }) => `${times} ${kind}`).join(', '))
  const peakBytes = Math.max(0, ...timeline.map(({ serverBytes }) => serverBytes))
  return [
    { label: 'clients', text: count(people.clients) },
    { label: 'logins in ramp, /s', text: ramp === undefined || ramp.seconds === 0 ? NONE : count(ramp.logins / ramp.seconds) },
    { label: 'server CPU per login, ms', text: report.server.isMeasured ? per(ramp?.serverCpuSeconds, ramp?.logins, 1e3) : NONE },
    { label: 'login p50 / p99, ms', text: quantiles(operationOf(report, 'ramp', 'login')) },
    { label: 'relogin p50 / p99, ms', text: quantiles(operationOf(report, 'run', 'login')) },
    { label: 'messages, /s', text: rate(run?.messages) },
    { label: 'presences, /s', text: rate(run?.presences) },
    { label: 'message p50 / p99 / p99.9, ms', text: quantiles(operationOf(report, 'run', 'message'), true) },
    { label: 'presence p50 / p99 / p99.9, ms', text: quantiles(operationOf(report, 'run', 'presence'), true) },
    { label: 'unavailable p50 / p99, ms', text: quantiles(operationOf(report, 'run', 'unavailable')) },
    { label: 'server CPU, cores', text: report.server.isMeasured ? per(run?.serverCpuSeconds, run?.seconds, 1) : NONE },
    {
      label: 'server CPU per delivered stanza, µs',
      text: report.server.isMeasured && run !== undefined ? per(run.serverCpuSeconds, run.messages + run.presences, 1e6) : NONE,
    },
    { label: 'server memory, peak', text: report.server.isMeasured ? mebibytes(peakBytes) : NONE },
    { label: 'violations', text: sum(violations) },
    { label: 'failures', text: sum(failures) },
  ]
}

function per(total: number | undefined, units: number | undefined, scale: number): string {
  if (total === undefined || units === undefined || units === 0) return NONE
  const value = (total / units) * scale
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function quantiles(operation: OperationReport | undefined, isLong = false): string {
  if (operation === undefined) return NONE
  const { p50Us, p99Us, p999Us } = operation
  return [p50Us, p99Us, ...(isLong ? [p999Us] : [])].map(ms).join(' / ')
}
