import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunReport } from '../run/make-report.ts'
import { defaultProfile } from '../model/profile.ts'
import { figuresOf } from './figures.ts'
import { htmlReport } from './html.ts'
import { lineOf, LiveLine } from './live-line.ts'
import { count, ms, table } from './numbers.ts'
import { plotSvg } from './svg.ts'
import { comparison, textReport } from './text.ts'
import type { OperationName, PhaseName, PhaseReport, Sample } from '../measure/recorder.ts'
import type { Terminal } from '../../server/runtime/terminal.ts'

const operation = (name: OperationName, us: number) => ({
  name, count: 100, meanUs: us, p50Us: us, p90Us: us * 2, p99Us: us * 3, p999Us: us * 4, maxUs: us * 5, curve: [[0, us], [0.9, us * 2], [1, us * 5]] as const,
})
const phase = (name: PhaseName): PhaseReport => ({
  name, seconds: 10, messages: 1000, presences: 9000, logins: 100, serverCpuSeconds: 0.5, ownCpuSeconds: 1,
  operations: [operation('login', 4000), operation('message', 150), operation('presence', 1234)],
})
const sample: Sample = {
  second: 3, phase: 'run', messages: 12_345, presences: 5, logins: 0, online: 1000, violations: 2, failures: 1, messageP99Us: 900,
  presenceP99Us: 12_000, serverCores: 0.42, serverBytes: 64 * 1_048_576, ownCores: 0.2,
}
const report: RunReport = {
  format: 1, startedAt: '1597-01-30T12:00:00.000Z', profile: { ...defaultProfile, name: 'verona', description: 'feud & <feast>' },
  server: { name: 'capulet', address: '127.0.0.1:5222', tls: 'none', domain: 'capulet.example', isMeasured: true },
  people: { users: 10, clients: 12, pairs: 40, meanContacts: 3, maxContacts: 5 },
  phases: [phase('ramp'), phase('run'), phase('drain')],
  counts: {
    messagesSent: 1001, messagesDelivered: 1000, messagesLate: 1, messagesBounced: 2, messagesExcused: 3, messagesSkipped: 4,
    presencesDelivered: 9000, presencesCoalesced: 5, presencesRedundant: 6, slowReadersDropped: 7,
  },
  violations: [], failures: [], isInterrupted: false, warnings: [], timeline: [sample, { ...sample, second: 4 }],
}
const broken: RunReport = {
  ...report, server: { ...report.server, name: 'montague', isMeasured: false },
  violations: [{ kind: 'message-missing', count: 1, examples: ['romeo to <juliet>'] }],
}

describe('reports', () => {
  it('derive rates and costs from a run', () => {
    const figures = Object.fromEntries(figuresOf(report).map(({ label, text }) => [label, text]))
    assert.equal(figures['messages, /s'], '100')
    assert.equal(figures['presences, /s'], '900')
    assert.equal(figures['server CPU per login, ms'], '5.00')
    assert.equal(figures['server CPU per delivered stanza, µs'], '50.0')
    assert.equal(figures['message p50 / p99 / p99.9, ms'], '0.15 / 0.45 / 0.60')
    assert.equal(figures['server memory, peak'], '64 MiB')
    assert.equal(figuresOf(broken).find(({ label }) => label === 'server CPU, cores')?.text, '-')
  })

  it('say in words whether all was right, and what was not', () => {
    assert.match(textReport(report), /^correct: nothing missing/m)
    assert.match(textReport(broken), /VIOLATIONS\n {2}message-missing: 1\n {4}romeo to <juliet>\n.*NOT correct\n$/s)
  })

  it('put several runs into one table, a column each', () => {
    const lines = comparison([report, broken]).split('\n')
    assert.match(lines[0]!, /^ +capulet +montague$/)
    assert.match(lines.find((line) => line.startsWith('violations'))!, / 0 +1 message-missing$/)
  })

  it('make a page whose plots have a line per server, and where text is text', () => {
    const page = htmlReport([report, broken])
    assert.match(page, /feud &amp; &lt;feast&gt;/)
    assert.match(page, /romeo to &lt;juliet&gt;/)
    assert.doesNotMatch(page, /<juliet>|<feast>|NaN|Infinity/)
    for (const svg of page.match(/<svg .*?<\/svg>/g)!) assert.equal(svg.match(/<polyline/g)!.length, 2)
    assert.throws(() => htmlReport([]), RangeError)
  })
})

describe('plots', () => {
  it('place points inside the picture, from left to right', () => {
    const svg = plotSvg({ title: 'rate', xLabel: 's', series: [{ name: 'a', points: [[0, 0], [5, 10], [10, 5]] }] })
    const points = /points="([^"]+)"/.exec(svg)![1]!.split(' ').map((point) => point.split(',').map(Number))
    assert.deepEqual(points.map(([x]) => x), [62, 298, 534])
    assert.deepEqual(points.map(([, y]) => y), [220, 34, 127])
  })

  it('survive zeros, single points and nothing at all', () => {
    assert.equal(plotSvg({ title: 't', xLabel: 'x', series: [{ name: 'a', points: [] }] }), '')
    for (const isLogY of [true, false]) {
      for (const points of [[[0, 0]], [[1, 0], [2, 0]], [[1, 5]]] as const) {
        assert.doesNotMatch(plotSvg({ title: 't', xLabel: 'x', isLogY, series: [{ name: 'a', points }] }), /NaN|Infinity/)
      }
    }
  })
})

it('writes numbers with the digits that matter', () => {
  assert.deepEqual([ms(123), ms(12_340), ms(123_456)], ['0.12', '12.3', '123'])
  assert.deepEqual([count(0), count(1.26), count(1234.5), count(1_234_567)], ['0', '1.3', '1,235', '1,234,567'])
  assert.equal(table([['a', 'bb'], ['ccc', 'd']]), 'a    bb\nccc   d')
})

it('shows a second of a run in one line: rewritten on a terminal, every tenth elsewhere', () => {
  assert.match(lineOf(sample), /^run 3 s \| 1,000 online \| 12,345 msg\/s p99 0\.90 ms \| .*server 0\.42 cores 64 MiB.*\| 2 violations \| 1 failures$/)
  const shownBy = (isErrorTerminal: boolean): string => {
    let text = ''
    const line = new LiveLine({ isErrorTerminal, err: (part: string) => { text += part } } as Terminal)
    for (let second = 0; second < 20; second++) line.show(sample)
    line.end()
    return text
  }
  assert.equal(shownBy(true).match(/\r/g)!.length, 20)
  assert.ok(shownBy(true).endsWith('violations | 1 failures\n'))
  assert.equal(shownBy(false).split('\n').length - 1, 2)
})
