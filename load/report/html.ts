/** One page without anything from elsewhere: figures, plots over time, latency by percentile, what went wrong. */
import type { OperationName, Sample } from '../measure/recorder.ts'
import type { RunReport } from '../run/make-report.ts'
import { figuresOf, operationOf } from './figures.ts'
import { count, mebibytes } from './numbers.ts'
import { escapeHtml, plotSvg } from './svg.ts'
import type { Plot } from './svg.ts'
import { textReport } from './text.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1c2128, #dde3ea); --faint: light-dark(#dfe3e8, #343b44); --soft: light-dark(#5b6570, #98a2ae);
  --c0: light-dark(#0b6bcb, #5aa9f5); --c1: light-dark(#c2410c, #f0883e); --c2: light-dark(#15803d, #57c47a);
  --c3: light-dark(#7e22ce, #b18cf0); --c4: light-dark(#a16207, #d9b13b); --c5: light-dark(#be185d, #ef7fb0); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2rem } p { margin: .2rem 0; color: var(--soft) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--faint); text-align: right }
td:first-child, th:first-child { text-align: left } .good { color: var(--c2) } .bad { color: var(--c1); font-weight: 600 }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1rem } svg { width: 100%; height: auto }
.grid { stroke: var(--faint) } .text { font-size: 11px; fill: var(--soft) } .title { font-size: 13px; font-weight: 600; fill: var(--ink) }
.line { fill: none; stroke-width: 1.6 } ${Array.from({ length: 6 }, (_, color) => `.c${color} { stroke: var(--c${color}) }`).join(' ')}
pre { overflow-x: auto; font-size: 12.5px; line-height: 1.4; border: 1px solid var(--faint); padding: .8rem; border-radius: 6px }`

const MS = 1000
/** Marks of the percentile axis, as powers of ten of what is left. */
const NINES: readonly (readonly [number, string])[] = [[0, '0'], [1, '90 %'], [2, '99 %'], [3, '99.9 %'], [4, '99.99 %'], [5, '99.999 %']]

/** A page for one run, or for several of the same profile side by side. */
export function htmlReport(reports: readonly RunReport[]): string {
  const [first] = reports
  if (first === undefined) throw new RangeError('no report')
  const title = `${first.profile.name}: ${reports.map(({ server }) => server.name).join(', ')}`
  const details = reports.map((report) => `<h2>${escapeHtml(report.server.name)}</h2><pre>${escapeHtml(textReport(report))}</pre>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(first.profile.description)}</p>
<p>${escapeHtml(first.startedAt)} · seed ${first.profile.seed} · ${count(first.people.users)} users, ${count(first.people.clients)} clients</p>
${verdicts(reports)}
<h2>Figures</h2>${figures(reports)}
<h2>Latency</h2><div class="plots">${latencyPlots(reports)}</div>
<h2>Over time</h2><div class="plots">${timePlots(reports)}</div>
${details.join('\n')}
</body></html>
`
}

function verdicts(reports: readonly RunReport[]): string {
  return reports.map(({ server, violations }) => {
    const total = violations.reduce((sum, { count: times }) => sum + times, 0)
    const verdict = total === 0 ? '<span class="good">correct</span>' : `<span class="bad">${count(total)} violations</span>`
    return `<p>${escapeHtml(server.name)}: ${verdict}</p>`
  }).join('')
}

function figures(reports: readonly RunReport[]): string {
  const columns = reports.map((report) => figuresOf(report))
  const header = `<tr><th></th>${reports.map(({ server }) => `<th>${escapeHtml(server.name)}</th>`).join('')}</tr>`
  const rows = (columns[0] ?? []).map(({ label }, row) => {
    const cells = columns.map((column) => `<td>${escapeHtml(column[row]!.text)}</td>`)
    return `<tr><td>${escapeHtml(label)}</td>${cells.join('')}</tr>`
  })
  return `<table>${header}${rows.join('')}</table>`
}

function latencyPlots(reports: readonly RunReport[]): string {
  const plot = (title: string, phase: 'ramp' | 'run', name: OperationName): string => plotSvg({
    title: `${title}, ms`,
    xLabel: 'share of operations that took at most so long',
    isLogY: true,
    xTicks: NINES.map(([nines]) => nines),
    xText: (nines) => NINES.find(([at]) => at === nines)?.[1] ?? '',
    series: reports.map((report) => ({
      name: report.server.name,
      points: (operationOf(report, phase, name)?.curve ?? []).filter(([share]) => share < 1).map(([share, us]) => [-Math.log10(1 - share), us / MS] as const),
    })),
  })
  return [
    plot('Messages', 'run', 'message'), plot('Presence to watcher', 'run', 'presence'),
    plot('Logins of the ramp', 'ramp', 'login'), plot('Logins during the run', 'run', 'login'),
  ].join('')
}

function timePlots(reports: readonly RunReport[]): string {
  const plot = (title: string, value: (sample: Sample) => number, more: Partial<Plot> = {}): string => plotSvg({
    title, xLabel: 'seconds', ...more,
    series: reports.map(({ server, timeline }) => ({ name: server.name, points: timeline.map((sample) => [sample.second, value(sample)] as const) })),
  })
  const isMeasured = reports.some(({ server }) => server.isMeasured)
  return [
    plot('Messages delivered per second', (sample) => sample.messages),
    plot('Presences delivered per second', (sample) => sample.presences),
    plot('Logins per second', (sample) => sample.logins),
    plot('Clients online', (sample) => sample.online),
    plot('Message p99 of each second, ms', (sample) => sample.messageP99Us / MS, { isLogY: true }),
    plot('Presence p99 of each second, ms', (sample) => sample.presenceP99Us / MS, { isLogY: true }),
    isMeasured ? plot('Server CPU, cores', (sample) => sample.serverCores) : '',
    isMeasured ? plot('Server memory', (sample) => sample.serverBytes, { yText: mebibytes }) : '',
    plot('Generator CPU, cores', (sample) => sample.ownCores),
    plot('Violations and failures so far', (sample) => sample.violations + sample.failures),
  ].join('')
}
