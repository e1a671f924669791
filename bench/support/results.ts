/** Results as files: a text with what was run where, tables, and plots that stand alone. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { plotSvg } from '../../load/report/svg.ts'
import type { Plot } from '../../load/report/svg.ts'

const FOLDER = fileURLToPath(new URL('../results/', import.meta.url))

const COLORS = ['#0b6bcb', '#c2410c', '#15803d', '#7e22ce', '#a16207', '#be185d']
/** Colours that are seen on white and on black. */
const STYLE = `text{font:11px system-ui,sans-serif;fill:#6b7683}.title{font-size:13px;font-weight:600}.grid{stroke:#8886}
.line{fill:none;stroke-width:1.6}${COLORS.map((color, at) => `.c${at}{stroke:${color}}`).join('')}`

/** Where it was measured: without it no figure says anything. */
export function machineLine(): string {
  const info = readFileSync('/proc/cpuinfo', 'utf8')
  const model = /model name\s*: (.+)/.exec(info)?.[1] ?? 'unknown processor'
  const count = info.match(/^processor/gm)?.length ?? 1
  const average = loadavg().map((load) => load.toFixed(1)).join(' ')
  return `${new Date().toISOString().slice(0, 10)}; ${count} × ${model}, load average ${average}; Node ${process.version}`
}

/** Columns in line: the first to the left, the others to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all.map((row) => row.map((cell, column) => {
    const width = widths[column] ?? 0
    return column === 0 ? cell.padEnd(width) : cell.padStart(width)
  }).join('  ').trimEnd()).join('\n')
}

/** Writes `bench/results/NAME` unless another path is given, and says so. */
export function writeResult(name: string, text: string, path = `${FOLDER}${name}`): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  console.error(`written: ${path}`)
}

/** Plots under each other in one SVG file. */
export function plotFile(plots: readonly Plot[]): string {
  const drawn = plots.map(plotSvg).filter((svg) => svg !== '')
  const boxes = drawn.map((svg) => (/viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? []).slice(1).map(Number))
  const width = Math.max(...boxes.map(([one]) => one ?? 0))
  let top = 0
  const parts = drawn.map((svg, at) => {
    const height = boxes[at]?.[1] ?? 0
    const placed = svg.replace('<svg ', `<svg y="${top}" width="${width}" height="${height}" `)
    top += height
    return placed
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}"><style>${STYLE}</style>\n${parts.join('\n')}\n</svg>\n`
}

export const fixed = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : '-')
export const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
