// Time, randomness, timers and the process are injected: only server/runtime and programs that are not part of
// the server touch them directly, so that everything else runs in the deterministic simulator.
//
// A name that the file itself declares (a parameter `process`, an imported port `performance`) is not the ambient
// one. Shadowing is judged per file, not per scope: nobody declares `process` in one function to use the real one
// in the next.

import { isSyntaxNode, isTestPath, lineAt, walk, type Finding, type SyntaxNode } from '../source-files.ts'
import type { ImportingFile } from './import-list.ts'

const FREE_LAYERS = new Set(['apps', 'tools', 'load', 'bench', 'interop', 'examples'])

const FORBIDDEN_GLOBALS = new Set([
  'process', 'console', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate',
])

const FORBIDDEN_MEMBERS = new Map([
  ['Date', ['now']],
  ['Math', ['random']],
  ['performance', ['now', 'timeOrigin']],
  ['crypto', ['getRandomValues', 'randomUUID']],
])

/** Modules that are another door to the same things. */
const FORBIDDEN_IMPORTS = new Set(['node:process', 'node:console', 'node:timers', 'node:timers/promises', 'node:perf_hooks'])

const FORBIDDEN_NAMED_IMPORTS = new Map([
  ['node:crypto', ['randomBytes', 'randomFill', 'randomFillSync', 'randomInt', 'randomUUID', 'getRandomValues']],
])

function mayUseAmbient(path: string): boolean {
  const [layer = '', unit = ''] = path.split('/')
  if (isTestPath(path) || FREE_LAYERS.has(layer)) return true
  return layer === 'server' && unit === 'runtime'
}

/** Findings for every direct use of clock, randomness, timers, process and console outside their places. */
export function checkAmbient(files: readonly ImportingFile[]): Finding[] {
  return files.filter((file) => !mayUseAmbient(file.path)).flatMap(checkFile)
}

function checkFile({ path, text, tree, imports }: ImportingFile): Finding[] {
  const findings: Finding[] = []
  const declared = declaredNames(tree)
  const add = (line: number, what: string) => {
    findings.push({ path, line, rule: 'ambient', message: `${what}: take it as a port; only server/runtime has the real one` })
  }
  for (const { line, target } of imports) if (FORBIDDEN_IMPORTS.has(target)) add(line, target)
  walk(tree, (node, parent) => {
    const what = ambientUse(node, parent, declared) ?? ambientImport(node)
    if (what !== undefined) add(lineAt(text, node.start), what)
  })
  return findings
}

function ambientUse(node: SyntaxNode, parent: SyntaxNode | undefined, declared: ReadonlySet<string>): string | undefined {
  if (node.type === 'MemberExpression') return ambientMember(node, declared)
  if (node.type === 'NewExpression' || node.type === 'CallExpression') {
    const isDate = nameOf(node.callee) === 'Date' && !declared.has('Date')
    const isBare = node.type === 'CallExpression' || (node.arguments as unknown[]).length === 0
    return isDate && isBare ? 'the current Date' : undefined
  }
  if (node.type !== 'Identifier' || !isReference(node, parent)) return undefined
  const name = node.name as string
  return FORBIDDEN_GLOBALS.has(name) && !declared.has(name) ? name : undefined
}

function ambientMember(node: SyntaxNode, declared: ReadonlySet<string>): string | undefined {
  const object = nameOf(node.object)
  const property = propertyName(node)
  if (object === undefined || property === undefined || declared.has(object)) return undefined
  if (object === 'globalThis') {
    return FORBIDDEN_GLOBALS.has(property) || FORBIDDEN_MEMBERS.has(property) ? `globalThis.${property}` : undefined
  }
  return FORBIDDEN_MEMBERS.get(object)?.includes(property) === true ? `${object}.${property}` : undefined
}

function ambientImport(node: SyntaxNode): string | undefined {
  if (node.type !== 'ImportDeclaration' || node.importKind === 'type') return undefined
  const source = (node.source as { value: string }).value
  const forbidden = FORBIDDEN_NAMED_IMPORTS.get(source)
  if (forbidden === undefined) return undefined
  const names = (node.specifiers as SyntaxNode[]).map((specifier) => nameOf(specifier.imported))
  const found = names.find((name) => name !== undefined && forbidden.includes(name))
  return found === undefined ? undefined : `${found} of ${source}`
}

function nameOf(node: unknown): string | undefined {
  return isSyntaxNode(node) && node.type === 'Identifier' ? (node.name as string) : undefined
}

function propertyName(node: SyntaxNode): string | undefined {
  const property = node.property as SyntaxNode
  if (node.computed !== true) return nameOf(property)
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined
}

/** False for an identifier that only names a member, a key, or a type. */
function isReference(node: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  if (parent === undefined) return true
  if (parent.type.startsWith('TS') && !parent.type.endsWith('Expression')) return false
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed === true
  const isKey = parent.key === node && parent.computed !== true && parent.value !== node
  const isLabel = parent.label === node
  const isForeignName = parent.type === 'ExportSpecifier' || parent.type.startsWith('Import')
  return !isKey && !isLabel && !isForeignName
}

const PATTERN_PARENTS = ['VariableDeclarator', 'FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression', 'ClassDeclaration', 'CatchClause']

/** Every name that the file binds to something of its own: variables, parameters, imports, functions, classes. */
function declaredNames(tree: SyntaxNode): Set<string> {
  const names = new Set<string>()
  walk(tree, (node) => {
    if (node.type.startsWith('Import')) collectNames(node.local, names)
    if (!PATTERN_PARENTS.includes(node.type)) return
    collectNames(node.id, names)
    collectNames(node.param, names)
    for (const parameter of Array.isArray(node.params) ? node.params : []) collectNames(parameter, names)
  })
  return names
}

function collectNames(pattern: unknown, names: Set<string>): void {
  if (!isSyntaxNode(pattern)) return
  switch (pattern.type) {
    case 'Identifier':
      names.add(pattern.name as string)
      break
    case 'ObjectPattern':
      for (const property of pattern.properties as SyntaxNode[]) collectNames(property.value ?? property.argument, names)
      break
    case 'ArrayPattern':
      for (const element of pattern.elements as unknown[]) collectNames(element, names)
      break
    case 'AssignmentPattern':
      collectNames(pattern.left, names)
      break
    case 'RestElement':
      collectNames(pattern.argument, names)
      break
  }
}
