// Which test files there are, and how they are run.
//
// The convention: everything under interop/ is slow (foreign clients, browsers, simulation of hours), every other
// `*.test.ts` is fast. The files are listed here and given to Node by name, because a pattern that matches
// nothing would pass without running a test.

import { spawn } from 'node:child_process'
import { listFiles, repositoryRoot, sourceFolders } from './source-files.ts'

/** How a set of tests is run: the longest a file may take, and what else node is told. */
export type TestRun = { files: string[]; fileTimeoutMs: number; nodeOptions?: string[] }

/** Tests that together run in well under two minutes. */
export function fastTests(): string[] {
  return sourceFolders.filter((folder) => folder !== 'interop').flatMap((folder) => listFiles(repositoryRoot, folder, ['.test.ts']))
}

/** Tests that start foreign programs or run for long. */
export function slowTests(): string[] {
  return listFiles(repositoryRoot, 'interop', ['.test.ts'])
}

/** Runs tests with Node's runner, output straight to the terminal; resolves with the exit status. */
export function runTests({ files, fileTimeoutMs, nodeOptions = [] }: TestRun): Promise<number> {
  const args = [
    ...nodeOptions, '--test', '--test-reporter=spec', '--test-concurrency=2', `--test-timeout=${fileTimeoutMs}`, ...files,
  ]
  return run(process.execPath, args)
}

/** Runs a program in the repository's root with this terminal; resolves with its exit status, 1 if a signal ended it. */
export function run(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: repositoryRoot, stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
