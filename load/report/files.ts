/** Reports on disk: one folder per run with `report.json` (everything), `report.txt` and `report.html`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPORT_FORMAT } from '../run/make-report.ts'
import type { RunReport } from '../run/make-report.ts'
import { htmlReport } from './html.ts'
import { comparison, textReport } from './text.ts'

const JSON_FILE = 'report.json'

/** The text of one run, or of a comparison followed by each run. */
export function textOf(reports: readonly RunReport[]): string {
  const texts = reports.map(textReport)
  return reports.length === 1 ? texts.join('') : [comparison(reports), ...texts].join('\n')
}

/** Writes all three into `folder`, which is made. Throws what the file system throws. */
export function writeReports(folder: string, reports: readonly RunReport[]): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, JSON_FILE), `${JSON.stringify(reports)}\n`)
  renderReports(folder, reports)
}

/** Writes text and page anew. */
export function renderReports(folder: string, reports: readonly RunReport[]): void {
  writeFileSync(join(folder, 'report.txt'), textOf(reports))
  writeFileSync(join(folder, 'report.html'), htmlReport(reports))
}

/** The reports of a folder. Throws SyntaxError when the file is not one that this version writes. */
export function readReports(folder: string): RunReport[] {
  const value: unknown = JSON.parse(readFileSync(join(folder, JSON_FILE), 'utf8'))
  if (!Array.isArray(value) || value.length === 0 || !value.every(isReport)) throw new SyntaxError(`${folder}: no report of this version`)
  return value
}

/** Reports are written by `writeReports`, so the format's number stands for the shape. */
function isReport(value: unknown): value is RunReport {
  return typeof value === 'object' && value !== null && 'format' in value && value.format === REPORT_FORMAT
}
