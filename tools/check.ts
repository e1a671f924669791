// One command for every check: `npm run check` (static checks and fast tests), `npm test` (those and the slow ones).
//
// Static checks run two at a time and print only what they find; then the tests run, so that the runner's own
// summary stands last. Everything runs even when something failed before, except that slow tests need the
// fast ones to pass: what they would say then is not worth the wait.
//
// usage: check.ts [--all] [--static] [--slow]

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { listFiles, repositoryRoot } from './source-files.ts'
import { fastTests, run, runTests, slowTests } from './test-files.ts'

const FAST_TIMEOUTS = { fileTimeoutMs: 150_000, totalTimeoutMs: 450_000 }
const SLOW_TIMEOUTS = { fileTimeoutMs: 600_000, totalTimeoutMs: 1_500_000 }
const STATIC_CHECK_TIMEOUT_MS = 120_000
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024

type StaticCheck = { name: string; script: string; args: string[] }

const staticChecks: StaticCheck[] = [
  { name: 'types', script: 'node_modules/typescript/bin/tsc', args: ['-p', '.', '--noEmit'] },
  { name: 'lint', script: 'node_modules/oxlint/bin/oxlint', args: ['--format=unix', '.'] },
  { name: 'imports', script: 'tools/check-imports.ts', args: [] },
  { name: 'tidy', script: 'tools/tidy.ts', args: [] },
  { name: 'generated files', script: 'tools/generate.ts', args: ['--check'] },
]

function runStaticCheck({ name, script, args }: StaticCheck): Promise<boolean> {
  const start = performance.now()
  const options = { cwd: repositoryRoot, timeout: STATIC_CHECK_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX }
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      console.log(`${error === null ? '✔' : '✖'} ${name} (${seconds} s)`)
      if (error !== null) console.log(`${stdout}${stderr}`.trim() || error.message)
      resolve(error === null)
    })
  })
}

async function runStaticChecks(): Promise<boolean> {
  const waiting = [...staticChecks]
  let isGood = true
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (!(await runStaticCheck(next))) isGood = false
    }
  }
  await Promise.all([lane(), lane()])
  return isGood
}

async function runFastTests(): Promise<boolean> {
  return (await runTests({ files: fastTests(), ...FAST_TIMEOUTS })) === 0
}

/** The Debian packages that slow tests need, from the `debian-packages.txt` beside them. */
function debianPackages(): string[] {
  const lists = listFiles(repositoryRoot, 'interop', ['debian-packages.txt'])
  const lines = lists.flatMap((path) => readFileSync(join(repositoryRoot, path), 'utf8').split('\n'))
  return [...new Set(lines.map((line) => line.replace(/#.*/, '').trim()).filter((line) => line !== ''))]
}

async function runSlowTests(): Promise<boolean> {
  const files = slowTests()
  if (files.length === 0) return true
  const packages = debianPackages()
  if (packages.length > 0 && (await run('bash', ['tools/ensure-debian.sh', ...packages])) !== 0) return false
  return (await runTests({ files, ...SLOW_TIMEOUTS })) === 0
}

const flags = new Set(process.argv.slice(2))
const isSlowOnly = flags.has('--slow')
const isStaticGood = isSlowOnly || (await runStaticChecks())
const isFastGood = isSlowOnly || flags.has('--static') || (await runFastTests())
const isSlowWanted = isSlowOnly || flags.has('--all')
const isSlowGood = !isSlowWanted || (isStaticGood && isFastGood && (await runSlowTests()))

const failed = [!isStaticGood && 'static checks', !isFastGood && 'fast tests', !isSlowGood && 'slow tests'].filter((name) => name !== false)
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
