// Words and lines that no committed text file may hold: unfinished work, paths of somebody's machine,
// merge leftovers, and dependencies that are not pinned to one version.
//
// Written so that this file passes its own rules.

import type { Finding, SourceFile } from '../source-files.ts'

const unfinished = new RegExp(String.raw`\b(?:TO${'DO'}|FIX${'ME'})\b`)
const machinePath = /(?<![\w.~$}-])\/(?:work|root|Users|home)\/[\w.-]+|\/tmp\/(?:rc|bash)/
const mergeMark = /^(?:<{7} |>{7} |={7}$)/
const registryHost = /registry\.(?:npmjs|yarnpkg)\.(?:org|com)/

const wordRules: { rule: string; pattern: RegExp; message: string }[] = [
  { rule: 'unfinished', pattern: unfinished, message: 'finish it or file an issue' },
  { rule: 'machine-path', pattern: machinePath, message: 'a path of one machine' },
  { rule: 'merge-mark', pattern: mergeMark, message: 'left from a merge' },
  { rule: 'registry-host', pattern: registryHost, message: 'name packages, not the registry they come from' },
]

/** Findings of the word rules over one text file. */
export function checkWords({ path, text }: SourceFile): Finding[] {
  const findings: Finding[] = []
  for (const [index, line] of text.split('\n').entries()) {
    for (const { rule, pattern, message } of wordRules) {
      if (pattern.test(line)) findings.push({ path, line: index + 1, rule, message })
    }
  }
  return findings
}

/** Findings for dependencies of a `package.json` that are not one exact version. */
export function checkManifest({ path, text }: SourceFile): Finding[] {
  const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>
  const findings: Finding[] = []
  for (const field of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries(manifest[field] ?? {})) {
      if (/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version) || (name.startsWith('@rollcall/') && version === '*')) continue
      const line = text.slice(0, text.indexOf(`"${name}"`)).split('\n').length
      findings.push({ path, line, rule: 'exact-version', message: `${name} must be one exact version, not ${version}` })
    }
  }
  return findings
}
