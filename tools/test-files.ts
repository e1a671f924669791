// Which test files there are, and how they are run.
//
// The convention: everything under interop/ is slow (foreign clients, browsers, simulation of hours), every other
// `*.test.ts` is fast. The files are listed here and given to Node by name, because a pattern that matches
// nothing would pass without running a test.

import { spawn } from 'node:child_process'
import { listFiles, repositoryRoot, sourceFolders } from './source-files.ts'

/** A set of tests and how long one file, and all of them together, may take. */
export type TestRun = { files: string[]; fileTimeoutMs: number; totalTimeoutMs: number }

/** Tests that together run in well under two minutes. */
export function fastTests(): string[] {
  return sourceFolders.filter((folder) => folder !== 'interop').flatMap((folder) => listFiles(repositoryRoot, folder, ['.test.ts']))
}

/** Tests that start foreign programs or run for long. */
export function slowTests(): string[] {
  return listFiles(repositoryRoot, 'interop', ['.test.ts'])
}

/**
 * Runs tests with Node's runner, output straight to the terminal; resolves with the exit status.
 * When the total time is up the runner is told to stop, and names the files that were still running.
 */
export function runTests({ files, fileTimeoutMs, totalTimeoutMs }: TestRun): Promise<number> {
  const args = [
    '--import', new URL('test-deadline.mjs', import.meta.url).href,
    '--test', '--test-reporter=spec', '--test-concurrency=2', `--test-timeout=${fileTimeoutMs}`, ...files,
  ]
  return run(process.execPath, args, { timeoutMs: totalTimeoutMs, env: { ROLLCALL_TEST_FILE_TIMEOUT_MS: String(fileTimeoutMs) } })
}

/** Runs a program in the repository's root with this terminal; resolves with its exit status, 1 if a signal ended it. */
export function run(
  program: string, args: readonly string[], { timeoutMs = 0, env = {} }: { timeoutMs?: number; env?: Record<string, string> } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: repositoryRoot, stdio: 'inherit', timeout: timeoutMs, env: { ...process.env, ...env } })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (signal !== null) console.error(`${program} was ended by ${signal}`)
      resolve(code ?? 1)
    })
  })
}
