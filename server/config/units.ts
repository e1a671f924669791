/**
 * Durations and sizes as people write them: `30s`, `256KiB`. Inside they are ms and bytes.
 *
 * A duration needs its unit, because a bare number would be read as ms by one and as seconds by another.
 */

const durationUnits = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000], ['ms', 1]] as const
const sizeUnits = [['GiB', 2 ** 30], ['MiB', 2 ** 20], ['KiB', 2 ** 10], ['GB', 1e9], ['MB', 1e6], ['kB', 1e3], ['B', 1]] as const
const NUMBER_AND_UNIT = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-zA-Z]*)$/

/** ms of `1.5s`, `15m`, `0`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const [, number, unit] = NUMBER_AND_UNIT.exec(text.trim()) ?? []
  if (number === undefined) return undefined
  if (unit === '') return Number(number) === 0 ? 0 : undefined
  const factor = durationUnits.find(([name]) => name === unit)?.[1]
  return factor === undefined ? undefined : whole(Number(number) * factor)
}

/** Bytes of `256KiB`, `1MB`, `1024`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const [, number, unit] = NUMBER_AND_UNIT.exec(text.trim()) ?? []
  if (number === undefined) return undefined
  const factor = unit === '' ? 1 : sizeUnits.find(([name]) => name.toLowerCase() === unit?.toLowerCase())?.[1]
  return factor === undefined ? undefined : whole(Number(number) * factor)
}

/** The shortest way to write `ms`, readable by `parseDuration`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  for (const [unit, factor] of durationUnits) if (ms % factor === 0) return `${ms / factor}${unit}`
  return `${ms}ms`
}

/** The shortest way to write `bytes`, readable by `parseSize`. */
export function formatSize(bytes: number): string {
  if (bytes === 0) return '0B'
  for (const [unit, factor] of sizeUnits) if (bytes % factor === 0) return `${bytes / factor}${unit}`
  return `${bytes}B`
}

function whole(value: number): number | undefined {
  const rounded = Math.round(value)
  return Number.isSafeInteger(rounded) ? rounded : undefined
}
