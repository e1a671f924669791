// The house style that neither the compiler nor the linter checks: how a TypeScript file opens, ends its
// statements and quotes its strings, and that no test is skipped.
//
// Judged on the syntax tree, not on lines, so that the text of strings and templates is never mistaken for code.

import { isSyntaxNode, isTestPath, lineAt, parse, walk, type Finding, type SourceFile, type SyntaxNode } from '../source-files.ts'

const LINE_LENGTH_MAX = 160

/** Layers in which every file says what it is before anything else. */
const OPENING_LAYERS = new Set(['packages', 'modules', 'server', 'backends', 'tools'])

const TEST_NAMES = new Set(['it', 'test', 'describe', 'suite', 't', 'context'])
const PARTIAL_NAMES = new Set(['skip', 'only', 'todo'])

/** Findings of every style rule over one TypeScript file. */
export function checkStyle(file: SourceFile): Finding[] {
  const findings: Finding[] = []
  const add = (line: number, rule: string, message: string) => findings.push({ path: file.path, line, rule, message })
  checkOpening(file, add)
  checkLines(file, add)
  walk(parse(file), (node) => {
    const line = () => lineAt(file.text, node.start)
    if (endsWithSemicolon(file.text, node)) add(lineAt(file.text, node.end - 1), 'no-semicolon', 'statements end without a semicolon')
    if (isDoubleQuoted(node)) add(line(), 'single-quotes', 'strings are in single quotes')
    if (isTestPath(file.path)) {
      const partial = partialTest(node)
      if (partial !== undefined) add(line(), 'whole-tests', `${partial}: every test runs, always`)
    }
  })
  return findings
}

type Add = (line: number, rule: string, message: string) => void

function checkOpening({ path, text }: SourceFile, add: Add): void {
  const [layer = ''] = path.split('/')
  if (!OPENING_LAYERS.has(layer) || path.endsWith('.test.ts')) return
  const body = text.replace(/^#!.*\n/, '').trimStart()
  if (!body.startsWith('//') && !body.startsWith('/*')) add(1, 'opening-comment', 'open with what this file is and why this shape')
}

function checkLines({ text }: SourceFile, add: Add): void {
  const lines = text.split('\n')
  if (lines.pop() !== '') add(lines.length + 1, 'final-newline', 'end the file with one newline')
  if (lines.at(-1) === '') add(lines.length, 'final-newline', 'no empty line at the end')
  for (const [index, line] of lines.entries()) {
    if (/[ \t\r]$/.test(line)) add(index + 1, 'trailing-space', 'no space at the end of a line')
    if (/^ *\t/.test(line)) add(index + 1, 'no-tabs', 'indent with two spaces')
    if (line.length > LINE_LENGTH_MAX) add(index + 1, 'line-length', `${line.length} characters; at most ${LINE_LENGTH_MAX}`)
  }
}

/** True when the node's own last character is a `;` that ends its line and does not guard the next one. */
function endsWithSemicolon(text: string, node: SyntaxNode): boolean {
  const isTerminated = node.type.endsWith('Statement') || node.type.endsWith('Declaration') || node.type.endsWith('Definition') ||
    ['TSPropertySignature', 'TSMethodSignature', 'TSIndexSignature', 'TSCallSignatureDeclaration'].includes(node.type)
  if (!isTerminated || text[node.end - 1] !== ';') return false
  const before = text.slice(text.lastIndexOf('\n', node.end - 1) + 1, node.end - 1)
  const after = text.slice(node.end, endOfLine(text, node.end))
  return before.trim() !== '' && /^\s*(\/\/.*|\/\*.*)?$/.test(after)
}

function endOfLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset)
  return end === -1 ? text.length : end
}

function isDoubleQuoted(node: SyntaxNode): boolean {
  if (node.type !== 'Literal' || typeof node.raw !== 'string') return false
  return node.raw.startsWith('"') && !node.raw.includes(`'`)
}

/** The skipped, focused or unwritten test at `node`, if it is one: `it.only(…)`, `t.skip()`, `test('…', { todo: true }, …)`. */
function partialTest(node: SyntaxNode): string | undefined {
  if (node.type !== 'CallExpression') return undefined
  const callee = node.callee as SyntaxNode
  if (callee.type === 'MemberExpression') {
    const object = identifier(callee.object)
    const property = identifier(callee.property)
    if (object === undefined || property === undefined || !TEST_NAMES.has(object)) return undefined
    return PARTIAL_NAMES.has(property) ? `${object}.${property}` : undefined
  }
  const name = identifier(callee)
  if (name === undefined || !TEST_NAMES.has(name)) return undefined
  const keys = (node.arguments as SyntaxNode[])
    .filter((argument) => argument.type === 'ObjectExpression')
    .flatMap((argument) => (argument.properties as SyntaxNode[]).map((property) => identifier(property.key)))
  const key = keys.find((candidate) => candidate !== undefined && PARTIAL_NAMES.has(candidate))
  return key === undefined ? undefined : `${name} with ${key}`
}

function identifier(node: unknown): string | undefined {
  return isSyntaxNode(node) && node.type === 'Identifier' ? (node.name as string) : undefined
}
