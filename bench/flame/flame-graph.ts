/**
 * A flame graph as one SVG file from a CPU profile of V8 (`--cpu-prof`): no script in it, names of frames as tooltips.
 *
 * Width is time on the CPU; what lies on a frame was called by it; frames stand in the order of their names, so time does not run
 * from left to right. Files are named from the root of the repository.
 */
import { fileURLToPath } from 'node:url'
import { escapeHtml } from '../../load/report/svg.ts'

/** What V8 writes, as far as it is used. Times in µs. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
    readonly children?: readonly number[]
  }[]
  readonly startTime: number
  readonly endTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface Frame {
  readonly name: string
  /** From the root of the repository, or `node:…`; '' for what has no file. */
  readonly file: string
  totalUs: number
  selfUs: number
  readonly children: Map<string, Frame>
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const IDLE = '(idle)'
const WIDTH = 1200
const ROW = 17
const TOP = 58
/** Frames narrower than this are left out. */
const NARROWEST_PX = 0.7
const CHARACTER_PX = 6.6
const FONT = '11px ui-monospace, monospace'

/** What frames are coloured by: the first whose path begins so. */
const LAYERS = [
  ['packages/xml', '#e0a458'], ['packages/', '#d9c36a'], ['modules/', '#7fb069'], ['server/core', '#5aa9a3'], ['server/edge', '#6a9fd4'],
  ['server/', '#8f8fd6'], ['backends/', '#b98bc9'], ['node_modules/', '#c9b8a8'], ['node:', '#c7ccd1'], ['', '#d98880'],
] as const
const NATIVE = 'native code, garbage collection'

export function layerOf(file: string): string {
  return LAYERS.find(([prefix]) => file.startsWith(prefix))?.[0] || NATIVE
}

function fileOf(url: string): string {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url
  if (path.startsWith(ROOT)) return path.slice(ROOT.length)
  // Nothing of the machine that made the profile.
  return path.startsWith('node:') || path === '' ? path : `…/${path.split('/').at(-1) ?? ''}`
}

/** The calls of the samples between two times (µs from the profile's start) as a tree; idle time is left out. */
export function treeOf(profile: CpuProfile, fromUs = 0, toUs = Infinity): Frame {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)))
  const root: Frame = { name: 'all', file: '', totalUs: 0, selfUs: 0, children: new Map() }
  const stacks = new Map<number, readonly Frame[]>()
  const stackOf = (id: number): readonly Frame[] => {
    const known = stacks.get(id)
    if (known !== undefined) return known
    const parent = parents.get(id)
    const below = parent === undefined ? [] : stackOf(parent)
    const { functionName, url } = nodes.get(id)?.callFrame ?? { functionName: '', url: '' }
    const stack = functionName === '(root)' ? [root] : [...below, childOf(below.at(-1) ?? root, functionName || '(anonymous)', fileOf(url))]
    stacks.set(id, stack)
    return stack
  }
  let atUs = 0
  for (const [index, id] of profile.samples.entries()) {
    atUs += profile.timeDeltas[index] ?? 0
    const spentUs = profile.timeDeltas[index + 1] ?? 0
    if (atUs < fromUs || atUs > toUs || nodes.get(id)?.callFrame.functionName === IDLE) continue
    const stack = stackOf(id)
    for (const frame of stack) frame.totalUs += spentUs
    const top = stack.at(-1)
    if (top !== undefined) top.selfUs += spentUs
  }
  return root
}

function childOf(parent: Frame, name: string, file: string): Frame {
  const key = `${name} ${file}`
  let child = parent.children.get(key)
  if (child === undefined) {
    child = { name, file, totalUs: 0, selfUs: 0, children: new Map() }
    parent.children.set(key, child)
  }
  return child
}

/** Time in frames themselves, by what `keyOf` says, the most first. */
export function selfTimes(root: Frame, keyOf: (frame: Frame) => string): (readonly [key: string, us: number])[] {
  const times = new Map<string, number>()
  const visit = (frame: Frame): void => {
    if (frame.selfUs > 0) times.set(keyOf(frame), (times.get(keyOf(frame)) ?? 0) + frame.selfUs)
    for (const child of frame.children.values()) visit(child)
  }
  visit(root)
  return [...times].sort((a, b) => b[1] - a[1])
}

/** The picture. */
export function flameSvg(root: Frame, title: string): string {
  const boxes: string[] = []
  let deepest = 0
  const draw = (frame: Frame, left: number, depth: number): void => {
    const width = (frame.totalUs / root.totalUs) * WIDTH
    if (width < NARROWEST_PX) return
    deepest = Math.max(deepest, depth)
    boxes.push(box(frame, left, depth, width, root.totalUs))
    let at = left
    for (const child of [...frame.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      draw(child, at, depth + 1)
      at += (child.totalUs / root.totalUs) * WIDTH
    }
  }
  draw(root, 0, 0)
  const height = TOP + (deepest + 1) * ROW + 6
  const legend = LAYERS.map(([prefix, color], at) => {
    const x = 8 + (at % 5) * 232
    const y = 24 + Math.floor(at / 5) * 15
    return `<rect x="${x}" y="${y}" width="10" height="10" fill="${color}"/><text x="${x + 14}" y="${y + 9}">${prefix === '' ? NATIVE : prefix}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" style="font:${FONT};background:#fff">
<text x="8" y="16" font-weight="600">${escapeHtml(title)}</text>${legend.join('')}
${boxes.join('\n')}
</svg>
`
}

function box(frame: Frame, left: number, depth: number, width: number, allUs: number): string {
  const y = TOP + depth * ROW
  const color = LAYERS.find(([prefix]) => frame.file.startsWith(prefix))?.[1] ?? '#ccc'
  const share = ((frame.totalUs / allUs) * 100).toFixed(1)
  const tip = escapeHtml(`${frame.name}${frame.file === '' ? '' : `, ${frame.file}`}: ${share} %`)
  const room = Math.floor((width - 4) / CHARACTER_PX)
  const text = room < 3 ? '' : `<text x="${(left + 2).toFixed(1)}" y="${y + 12}">${escapeHtml(frame.name.slice(0, room))}</text>`
  const shape = `x="${left.toFixed(1)}" y="${y}" width="${Math.max(0.3, width - 0.4).toFixed(1)}" height="${ROW - 1}"`
  return `<g><title>${tip}</title><rect ${shape} fill="${color}"/>${text}</g>`
}
