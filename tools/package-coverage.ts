// Sums line coverage of files to coverage of packages, and compares it with what is demanded.

import type { SyntaxNode } from './source-files.ts'

/** How many of a file's lines ran in tests. */
export type FileCoverage = { path: string; lines: number; linesCovered: number }

/** Covered lines in per cent; 100 for a file without lines. */
export function percent({ lines, linesCovered }: Pick<FileCoverage, 'lines' | 'linesCovered'>): number {
  return lines === 0 ? 100 : (100 * linesCovered) / lines
}

/** Coverage of each package in `packages/`, by name. */
export function coverageByPackage(files: readonly FileCoverage[]): Map<string, FileCoverage> {
  const sums = new Map<string, FileCoverage>()
  for (const { path, lines, linesCovered } of files) {
    const [, name = ''] = path.split('/')
    const sum = sums.get(name) ?? { path: `packages/${name}`, lines: 0, linesCovered: 0 }
    sums.set(name, { ...sum, lines: sum.lines + lines, linesCovered: sum.linesCovered + linesCovered })
  }
  return new Map([...sums].toSorted(([a], [b]) => a.localeCompare(b)))
}

/** Names of the packages under their least percentage of lines; one that was not measured at all is under it. */
export function packagesBelow(packages: ReadonlyMap<string, FileCoverage>, linePercentMin: ReadonlyMap<string, number>): string[] {
  return [...linePercentMin].flatMap(([name, least]) => {
    const sum = packages.get(name)
    return sum !== undefined && percent(sum) >= least ? [] : [name]
  })
}

/** False for a file of types only, which no test can load. */
export function hasRuntimeCode(program: SyntaxNode): boolean {
  return (program.body as SyntaxNode[]).some((statement) => {
    if (statement.type === 'ImportDeclaration') return false
    const kind = statement.exportKind
    const declaration = statement.declaration as SyntaxNode | null | undefined
    return kind !== 'type' && !(declaration ?? statement).type.startsWith('TS')
  })
}
