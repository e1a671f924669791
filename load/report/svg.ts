/** Line plots as SVG, written by hand: a handful of shapes needs no library, and the page needs nothing from elsewhere. */

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly series: readonly Series[]
  readonly isLogY?: boolean
  /** Text of a value on an axis. */
  readonly yText?: (value: number) => string
  readonly xText?: (value: number) => string
  /** Values marked on the x axis; left out: chosen. */
  readonly xTicks?: readonly number[]
}

const WIDTH = 560
const HEIGHT = 260
const MARGIN = { left: 62, right: 26, top: 34, bottom: 40 } as const
const TICKS = 5
/** Points drawn per series: more than there are pixels show nothing more. */
const POINTS_MAX = 1200
const COLORS = 6
/** Of the small text, more or less. */
const CHARACTER_WIDTH = 6.2

/** The plot, or '' when no series has a point. */
export function plotSvg(plot: Plot): string {
  const series = plot.series.filter(({ points }) => points.length > 0)
  if (series.length === 0) return ''
  const xs = series.flatMap(({ points }) => points.map(([x]) => x))
  const ys = series.flatMap(({ points }) => points.map(([, y]) => y))
  const x = linear(least(xs), most(xs), MARGIN.left, WIDTH - MARGIN.right)
  const top = Math.max(most(ys), 1e-9)
  const y = plot.isLogY === true
    ? logarithmic(Math.min(top, Math.max(leastPositive(ys), top / 1e6)), top, HEIGHT - MARGIN.bottom, MARGIN.top)
    : linear(0, top, HEIGHT - MARGIN.bottom, MARGIN.top)
  const yText = plot.yText ?? short
  const xText = plot.xText ?? short
  const xTicks = plot.xTicks ?? ticksOf(least(xs), most(xs))
  const parts = [
    ...y.ticks.map((tick) => horizontal(y.place(tick), yText(tick))),
    ...xTicks.map((tick) => label(x.place(tick), HEIGHT - MARGIN.bottom + 16, xText(tick), 'middle')),
    ...series.map(({ points }, at) => line(thinned(points).map(([px, py]) => `${x.place(px).toFixed(1)},${y.place(py).toFixed(1)}`), at)),
    ...(series.length > 1 ? legend(series.map(({ name }) => name)) : []),
    label(MARGIN.left, 16, plot.title, 'start', 'title'),
    label((WIDTH + MARGIN.left) / 2, HEIGHT - 6, plot.xLabel, 'middle'),
  ]
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(plot.title)}">${parts.join('')}</svg>`
}

/** Text for HTML and for attributes in double quotes. */
export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

interface Scale {
  readonly place: (value: number) => number
  readonly ticks: readonly number[]
}

function linear(low: number, high: number, from: number, to: number): Scale {
  const span = high > low ? high - low : 1
  return { place: (value) => from + ((value - low) / span) * (to - from), ticks: ticksOf(low, high) }
}

function logarithmic(low: number, high: number, from: number, to: number): Scale {
  const first = Math.floor(Math.log10(low))
  const last = Math.max(first + 1, Math.ceil(Math.log10(high)))
  const place = (value: number): number => from + ((Math.log10(Math.max(value, 10 ** first)) - first) / (last - first)) * (to - from)
  return { place, ticks: Array.from({ length: last - first + 1 }, (_, step) => 10 ** (first + step)) }
}

function ticksOf(low: number, high: number): number[] {
  if (high <= low) return [low]
  const rough = (high - low) / TICKS
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough
  const ticks: number[] = []
  for (let tick = Math.ceil(low / step) * step; tick <= high + step / 1000; tick += step) ticks.push(tick)
  return ticks
}

function thinned<T>(points: readonly T[]): readonly T[] {
  const every = Math.ceil(points.length / POINTS_MAX)
  return every <= 1 ? points : points.filter((_, at) => at % every === 0)
}

function horizontal(y: number, text: string): string {
  const grid = `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}" class="grid"/>`
  return grid + label(MARGIN.left - 6, y + 4, text, 'end')
}

function line(points: readonly string[], series: number): string {
  return `<polyline points="${points.join(' ')}" class="line c${series % COLORS}"/>`
}

/** Names of the series beside the title, from the right, where no line is. */
function legend(names: readonly string[]): string[] {
  let right = WIDTH - MARGIN.right
  return names.map((name, series) => ({ name, series })).reverse().map(({ name, series }) => {
    const x = right - name.length * CHARACTER_WIDTH
    right = x - 34
    return `<line x1="${x - 20}" x2="${x - 4}" y1="12" y2="12" class="line c${series % COLORS}"/>${label(x, 16, name, 'start')}`
  })
}

function label(x: number, y: number, text: string, anchor: string, className = 'text'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" class="${className}">${escapeHtml(text)}</text>`
}

function short(value: number): string {
  const magnitude = Math.abs(value)
  if (magnitude >= 1e6) return `${trim(value / 1e6)} M`
  if (magnitude >= 1e4) return `${trim(value / 1e3)} k`
  return trim(value)
}

const trim = (value: number): string => String(Number(value.toPrecision(3)))
const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity)
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity)
const leastPositive = (values: readonly number[]): number => values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Infinity)
