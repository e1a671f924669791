/** Reports as text: one run, and several side by side. */
import type { Tallied } from '../check/violations.ts'
import type { PhaseReport } from '../measure/recorder.ts'
import type { RunReport } from '../run/make-report.ts'
import { figuresOf } from './figures.ts'
import { count, ms, table } from './numbers.ts'

/** One run, in full. */
export function textReport(report: RunReport): string {
  const { counts, people, profile, server } = report
  const parts = [
    `${profile.name} against ${server.name} (${server.address}, TLS ${server.tls}), ${report.startedAt}`,
    `seed ${profile.seed}, time × ${profile.timeFactor}, ${count(people.users)} users, ${count(people.clients)} clients, `
      + `${people.meanContacts.toFixed(1)} contacts on average, ${people.maxContacts} at most`,
    '',
    table(figuresOf(report).map(({ label, text }) => [label, text])),
    '',
    ...report.phases.filter(({ name }) => name !== 'drain').flatMap((phase) => [operations(phase), '']),
    `messages: ${count(counts.messagesSent)} sent, ${count(counts.messagesDelivered)} delivered, ${count(counts.messagesLate)} of them after their session, `
      + `${count(counts.messagesBounced)} returned, ${count(counts.messagesExcused)} lost with their session, `
      + `${count(counts.messagesSkipped)} had nobody to go to`,
    `presences: ${count(counts.presencesDelivered)} delivered, ${count(counts.presencesCoalesced)} coalesced, `
      + `${count(counts.presencesRedundant)} redundant while logging in; slow readers disconnected: ${count(counts.slowReadersDropped)}`,
    ...tallies('VIOLATIONS', report.violations),
    ...tallies('FAILURES', report.failures),
    ...report.warnings.map((warning) => `warning: ${warning}`),
    report.violations.length === 0 ? 'correct: nothing missing, duplicated, out of order, misdelivered or wrong in the end' : 'NOT correct',
  ]
  return `${parts.join('\n')}\n`
}

/** The same figures of several runs, a column each. */
export function comparison(reports: readonly RunReport[]): string {
  const columns = reports.map((report) => figuresOf(report))
  const header = ['', ...reports.map(({ server }) => server.name)]
  const rows = (columns[0] ?? []).map(({ label }, row) => [label].concat(columns.map((figures) => figures[row]!.text)))
  return `${table([header, ...rows])}\n`
}

function operations({ name, seconds, operations }: PhaseReport): string {
  const rows = operations.filter(({ count: times }) => times > 0).map((operation) => [
    operation.name, count(operation.count), ms(operation.p50Us), ms(operation.p90Us), ms(operation.p99Us), ms(operation.p999Us), ms(operation.maxUs),
  ])
  return table([[`${name}, ${seconds.toFixed(1)} s; ms`, 'count', 'p50', 'p90', 'p99', 'p99.9', 'max'], ...rows])
}

function tallies(title: string, list: readonly Tallied[]): string[] {
  if (list.length === 0) return []
  return [title, ...list.flatMap(({ kind, count: times, examples }) => [`  ${kind}: ${times}`, ...examples.map((example) => `    ${example}`)])]
}
