// No import cycles, type-only imports included: two files that need each other are one subject.
//
// A depth-first walk with three states; each back edge to a file still on the path is one finding, so a
// tangle is reported edge by edge rather than once per possible round trip.

import type { Finding } from '../source-files.ts'
import type { Import, ImportingFile } from './import-list.ts'

/** Findings for every import that closes a cycle among `files`. */
export function checkCycles(files: readonly ImportingFile[]): Finding[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const done = new Set<string>()
  const trail: string[] = []
  const findings: Finding[] = []

  function closes(file: ImportingFile, reference: Import): boolean {
    const start = trail.indexOf(reference.target)
    if (start === -1) return false
    const round = [...trail.slice(start), reference.target].join(' → ')
    findings.push({ path: file.path, line: reference.line, rule: 'no-cycle', message: round })
    return true
  }

  function visit(file: ImportingFile): void {
    trail.push(file.path)
    for (const reference of file.imports) {
      const target = byPath.get(reference.target)
      if (target === undefined || closes(file, reference) || done.has(target.path)) continue
      visit(target)
    }
    trail.pop()
    done.add(file.path)
  }

  for (const file of files) if (!done.has(file.path)) visit(file)
  return findings
}
