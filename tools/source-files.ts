// Lists and parses the repository's files for the checks in this folder.
//
// The file system is walked instead of asking git, so that the checks also see files not yet added
// and run from an unpacked archive.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseSync } from 'oxc-parser'

/** The repository's root folder, absolute. */
export const repositoryRoot = resolve(import.meta.dirname, '..')

/** One file to check; `path` is relative to the root, with forward slashes. */
export type SourceFile = { path: string; text: string }

/** A broken rule at a place; `line` counts from 1. */
export type Finding = { path: string; line: number; rule: string; message: string }

/** A syntax tree node: a kind, its extent in the text, and fields that depend on the kind. */
export type SyntaxNode = { type: string; start: number; end: number; [field: string]: unknown }

/** Folders that hold nothing of ours: installed, built, measured, copied. */
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'results', 'vendor'])

/** What running the project leaves in the repository's root. */
const SKIPPED_PATHS = new Set(['coverage', 'data'])

/** Paths of all files under `folder` of `root` whose name ends in one of `endings`, sorted. */
export function listFiles(root: string, folder: string, endings: readonly string[]): string[] {
  const found: string[] = []
  const start = join(root, folder)
  if (!existsSync(start) || !statSync(start).isDirectory()) return found
  for (const entry of readdirSync(start, { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    const isHidden = entry.name.startsWith('.') && entry.name !== '.ci'
    const isOurs = !isHidden && !SKIPPED_FOLDERS.has(entry.name) && !SKIPPED_PATHS.has(path)
    if (entry.isDirectory() && isOurs) found.push(...listFiles(root, path, endings))
    if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) found.push(path)
  }
  return found.toSorted()
}

/** Reads the listed files. */
export function readFiles(root: string, paths: readonly string[]): SourceFile[] {
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** The folders that hold TypeScript of ours. */
export const sourceFolders = [
  'packages', 'modules', 'server', 'backends', 'apps', 'gateways', 'tools', 'interop', 'bench', 'load', 'sim', 'examples',
] as const

/** Every TypeScript file of the repository. */
export function readSourceFiles(root: string): SourceFile[] {
  return readFiles(root, sourceFolders.flatMap((folder) => listFiles(root, folder, ['.ts'])))
}

/** True for a file of tests, or of helpers that only tests use. */
export function isTestPath(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/')
}

/** Parses one file; throws an `Error` with the file's name when it is not valid TypeScript. */
export function parse(file: SourceFile): SyntaxNode {
  const { program, errors } = parseSync(file.path, file.text)
  const first = errors[0]
  if (first !== undefined) throw new Error(`${file.path}: ${first.message}`)
  return program as unknown as SyntaxNode
}

/** Calls `visit` for `node` and everything below it, parents first. */
export function walk(node: SyntaxNode, visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => void, parent?: SyntaxNode): void {
  visit(node, parent)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isSyntaxNode(child)) walk(child, visit, node)
    }
  }
}

/** True when `value` is a syntax tree node. */
export function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

/** The line, counted from 1, of the character at `offset`. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++
  return line
}

/** Prints findings as `file:line  rule  message`, one a line, and sets the exit status if there are any. */
export function report(name: string, findings: readonly Finding[], filesChecked: number): void {
  for (const { path, line, rule, message } of findings) console.error(`${path}:${line}  ${rule}  ${message}`)
  if (findings.length > 0) process.exitCode = 1
  console.log(`${name}: ${findings.length} findings in ${filesChecked} files`)
}
