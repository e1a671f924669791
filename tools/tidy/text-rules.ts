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

/** Whether a folder lies inside a package whose integrity is locked: packages that bring workspaces of their own. */
function isPartOfLocked(key: string, packages: Readonly<Record<string, LockedPackage>>): boolean {
  for (let slash = key.lastIndexOf('/'); slash > 0; slash = key.lastIndexOf('/', slash - 1)) {
    const parent = key.slice(0, slash)
    if (parent.endsWith('node_modules')) return false
    if (packages[parent]?.integrity !== undefined) return true
  }
  return false
}

/** Packages whose install scripts the manifest denies (`allowScripts`), so that npm does not run them. */
export function deniedScripts(manifest: string): Set<string> {
  const { allowScripts = {} } = JSON.parse(manifest) as { allowScripts?: Record<string, boolean> }
  return new Set(Object.entries(allowScripts).filter(([, isAllowed]) => !isAllowed).map(([name]) => name))
}

type LockedPackage = { resolved?: string; link?: boolean; integrity?: string; hasInstallScript?: boolean; optionalDependencies?: Record<string, string> }

/**
 * Findings in `package-lock.json`: a package without integrity, from a fixed address or with an install script, and an
 * optional package that is missing, for whatever platform, because `npm ci` then refuses the whole lockfile.
 */
export function checkLockfile({ path, text }: SourceFile, deniedScripts: ReadonlySet<string> = new Set()): Finding[] {
  const { packages } = JSON.parse(text) as { packages: Record<string, LockedPackage> }
  const findings: Finding[] = []
  for (const [key, locked] of Object.entries(packages)) {
    const add = (message: string) => {
      findings.push({ path, line: text.slice(0, text.indexOf(`"${key}"`)).split('\n').length, rule: 'lockfile', message: `${key}: ${message}` })
    }
    const isCovered = locked.integrity !== undefined || isPartOfLocked(key, packages)
    if (key.includes('node_modules/') && locked.link !== true && !isCovered) add('no integrity')
    if (locked.resolved?.includes('://') === true) add('names the registry it came from')
    if (locked.hasInstallScript === true && !deniedScripts.has(key.slice(key.lastIndexOf('node_modules/') + 13))) add('runs a script when installed')
    for (const name of Object.keys(locked.optionalDependencies ?? {})) {
      const isLocked = `node_modules/${name}` in packages || `${key}/node_modules/${name}` in packages
      if (!isLocked) add(`its optional package ${name} is not locked; choose a version that is there for every platform`)
    }
  }
  return findings
}
