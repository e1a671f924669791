// What a file imports: every static, dynamic, re-exporting and type-only reference, resolved to a file.

import { isSyntaxNode, lineAt, parse, walk, type SourceFile, type SyntaxNode } from '../source-files.ts'

/**
 * One import. `target` is a path relative to the repository's root for our own files (`packages/jid/src/index.ts`
 * for `@rollcall/jid`), `node:name` for a built-in, or the package's name for anything else.
 */
export type Import = { line: number; specifier: string; target: string; kind: 'own' | 'node' | 'npm' }

/** A parsed file with its imports. */
export type ImportingFile = { path: string; text: string; tree: SyntaxNode; imports: Import[] }

const SCOPE = '@rollcall/'

/** Parses `file` and lists what it imports, in order of appearance. */
export function listImports(file: SourceFile): ImportingFile {
  const tree = parse(file)
  const imports: Import[] = []
  walk(tree, (node) => {
    const specifier = specifierOf(node)
    if (specifier === undefined) return
    imports.push({ line: lineAt(file.text, node.start), specifier, ...resolveSpecifier(file.path, specifier) })
  })
  return { path: file.path, text: file.text, tree, imports }
}

function specifierOf(node: SyntaxNode): string | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
    case 'TSExternalModuleReference':
      return literalText(node.source ?? node.expression)
    default:
      return undefined
  }
}

function literalText(node: unknown): string | undefined {
  if (!isSyntaxNode(node) || node.type !== 'Literal') return undefined
  return typeof node.value === 'string' ? node.value : undefined
}

function resolveSpecifier(from: string, specifier: string): Pick<Import, 'target' | 'kind'> {
  if (specifier.startsWith('node:')) return { target: specifier, kind: 'node' }
  if (specifier.startsWith('.')) return { target: joinPath(from, specifier), kind: 'own' }
  if (specifier.startsWith(SCOPE)) {
    const [name, ...rest] = specifier.slice(SCOPE.length).split('/')
    return { target: `packages/${name}/src/${rest.length === 0 ? 'index' : rest.join('/')}.ts`, kind: 'own' }
  }
  return { target: specifier, kind: 'npm' }
}

/** Resolves the relative `specifier` against the folder of `from`; `..` above the root stays visible as `..`. */
function joinPath(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
