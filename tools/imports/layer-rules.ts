// The layers of the system as import rules (docs/architecture.md). Each rule looks at one import of one file
// and returns why it is forbidden, or undefined.
//
// Shape: a table of small rules, each with a name that findings print, so that a rule is read, tested and
// argued about on its own.

import { isTestPath, type Finding } from '../source-files.ts'
import type { Import, ImportingFile } from './import-list.ts'

/** Pure packages from left to right; each may import only what stands left of it. */
export const packageOrder = ['xml', 'jid', 'stanza', 'protocol', 'ports', 'stream', 'module-api'] as const

/** Where a file belongs: its layer, the name of its unit in that layer, and whether it is a test. */
type Place = { layer: string; unit: string; isTest: boolean }

type Rule = { name: string; check: (from: Place, to: Place, reference: Import, path: string) => string | undefined }

/** The only files that name modules and backends. */
const COMPOSITION_ROOT = new Set(['server/main.ts', 'server/modules.generated.ts'])

function placeOf(path: string): Place {
  const [layer = '', unit = ''] = path.split('/')
  return { layer, unit, isTest: isTestPath(path) }
}

function isOwn(reference: Import): boolean {
  return reference.kind === 'own'
}

function mayImportPackage(from: string, to: string, isTest: boolean): boolean {
  if (from === to || from === 'testing') return true
  if (to === 'testing') return isTest
  const order: readonly string[] = packageOrder
  if (from === 'client') return order.includes(to) && to !== 'module-api'
  return order.includes(to) && order.includes(from) && order.indexOf(to) < order.indexOf(from)
}

const rules: Rule[] = [
  {
    name: 'package-order',
    check(from, to, reference) {
      if (from.layer !== 'packages' || to.layer !== 'packages' || !isOwn(reference)) return undefined
      if (mayImportPackage(from.unit, to.unit, from.isTest)) return undefined
      return `package ${from.unit} may not import ${to.unit}: ${packageOrder.join(' ← ')}, leftwards only`
    },
  },
  {
    name: 'package-alone',
    check(from, to, reference) {
      if (from.layer !== 'packages' || to.layer === 'packages' || !isOwn(reference)) return undefined
      return `a package imports packages only, not ${reference.target}`
    },
  },
  {
    name: 'package-entry',
    check(from, to, reference) {
      if (to.layer !== 'packages' || !reference.specifier.startsWith('.')) return undefined
      if (from.layer === 'packages' && from.unit === to.unit) return undefined
      return `import @rollcall/${to.unit} by name, not by path`
    },
  },
  {
    name: 'no-node',
    check(from, _to, reference, path) {
      if (reference.kind !== 'node' || from.isTest) return undefined
      const isPure = from.layer === 'modules' || (from.layer === 'packages' && from.unit !== 'testing')
      if (!isPure || (from.layer === 'packages' && path.endsWith('/bytes-node.ts'))) return undefined
      return `${reference.specifier} in ${from.layer}: they do no I/O and run anywhere`
    },
  },
  {
    name: 'module-port',
    check(from, to, reference) {
      if (from.layer !== 'modules' || to.layer !== 'modules' || from.unit === to.unit || from.isTest) return undefined
      if (reference.target === `modules/${to.unit}/port.ts`) return undefined
      return `module ${from.unit} may reach module ${to.unit} only at modules/${to.unit}/port.ts`
    },
  },
  {
    name: 'no-server',
    check(from, to, reference) {
      const isBelowServer = from.layer === 'modules' || from.layer === 'backends'
      if (!isBelowServer || to.layer !== 'server' || from.isTest || !isOwn(reference)) return undefined
      return `${from.layer} never import the server`
    },
  },
  {
    name: 'composition-root',
    check(from, to, reference, path) {
      if (from.isTest || !isOwn(reference) || COMPOSITION_ROOT.has(path)) return undefined
      const namesModule = to.layer === 'modules' && ['server', 'backends'].includes(from.layer)
      const namesBackend = to.layer === 'backends' && ['server', 'modules'].includes(from.layer)
      if (!namesModule && !namesBackend) return undefined
      return `only ${[...COMPOSITION_ROOT].join(' and ')} name ${to.layer}`
    },
  },
  {
    name: 'edge-core',
    check(from, to, reference) {
      if (from.layer !== 'server' || to.layer !== 'server' || from.isTest || !isOwn(reference)) return undefined
      const isCrossing = (from.unit === 'edge' && to.unit === 'core') || (from.unit === 'core' && to.unit === 'edge')
      return isCrossing ? 'edge and core share only the bus and server/protocol' : undefined
    },
  },
]

/** Findings of every layer rule over `files`. */
export function checkLayers(files: readonly ImportingFile[]): Finding[] {
  const findings: Finding[] = []
  for (const { path, imports } of files) {
    const from = placeOf(path)
    for (const reference of imports) {
      const to = placeOf(reference.target)
      for (const { name, check } of rules) {
        const message = check(from, to, reference, path)
        if (message !== undefined) findings.push({ path, line: reference.line, rule: name, message })
      }
    }
  }
  return findings
}
