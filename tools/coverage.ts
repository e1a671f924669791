// Coverage of the pure packages by their own tests: `npm run coverage`.
//
// Node's runner measures; this prints one line a file and one a package, and fails when a package of pure
// functions falls under its threshold: what has no I/O has no excuse.

import { run } from 'node:test'
import { coverageByPackage, hasRuntimeCode, packagesBelow, percent, type FileCoverage } from './package-coverage.ts'
import { isTestPath, listFiles, parse, readFiles, repositoryRoot } from './source-files.ts'

const FILE_TIMEOUT_MS = 60_000

/** Least share of covered lines, in per cent, of each package that must have one. */
const LINE_PERCENT_MIN = new Map([['xml', 95], ['jid', 95], ['stanza', 95], ['protocol', 95]])

const files = listFiles(repositoryRoot, 'packages', ['.test.ts'])
const stream = run({
  files,
  concurrency: 2,
  timeout: FILE_TIMEOUT_MS,
  cwd: repositoryRoot,
  coverage: true,
  coverageIncludeGlobs: ['packages/*/src/**/*.ts'],
  coverageExcludeGlobs: ['**/*.test.ts'],
})

const measured: FileCoverage[] = []
let failures = 0
for await (const event of stream) {
  if (event.type === 'test:fail') {
    failures++
    console.error(`✖ ${event.data.file ?? ''} ${event.data.name}`)
  }
  if (event.type !== 'test:coverage') continue
  const { files: covered, workingDirectory } = event.data.summary
  for (const { path, totalLineCount, coveredLineCount } of covered) {
    measured.push({ path: path.slice(workingDirectory.length + 1).replaceAll('\\', '/'), lines: totalLineCount, linesCovered: coveredLineCount })
  }
}

// A file with code that no test loads is not measured at all: it counts as uncovered.
const seen = new Set(measured.map(({ path }) => path))
const unseen = listFiles(repositoryRoot, 'packages', ['.ts']).filter((path) => !seen.has(path) && !isTestPath(path))
for (const file of readFiles(repositoryRoot, unseen)) {
  if (hasRuntimeCode(parse(file))) measured.push({ path: file.path, lines: file.text.split('\n').length, linesCovered: 0 })
}

for (const file of measured.toSorted((a, b) => a.path.localeCompare(b.path))) {
  console.log(`${percent(file).toFixed(2).padStart(6)} %  ${file.path}`)
}
const packages = coverageByPackage(measured)
for (const [name, file] of packages) console.log(`${percent(file).toFixed(2).padStart(6)} %  package ${name}`)

const below = packagesBelow(packages, LINE_PERCENT_MIN)
for (const name of below) console.error(`package ${name} is under ${LINE_PERCENT_MIN.get(name)} % of lines`)
if (failures > 0) console.error(`${failures} tests failed`)
if (failures > 0 || below.length > 0) process.exitCode = 1
