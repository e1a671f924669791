// Style as a test: what neither the compiler, the linter nor the import rules check.
// Prints `file:line  rule  message` for each broken rule and exits 1 if there is one.

import { listFiles, readFiles, readSourceFiles, report, repositoryRoot } from './source-files.ts'
import { checkStyle } from './tidy/style-rules.ts'
import { checkLockfile, checkManifest, checkWords, deniedScripts } from './tidy/text-rules.ts'

const TEXT_ENDINGS = ['.ts', '.mjs', '.js', '.json', '.md', '.sh', '.yaml', '.yml', '.toml', '.service', '.css', '.html', '.py', '.txt', 'Dockerfile', 'run']

const sources = readSourceFiles(repositoryRoot).filter(({ path }) => !path.endsWith('.generated.ts'))
const texts = readFiles(repositoryRoot, listFiles(repositoryRoot, '', TEXT_ENDINGS))
const manifests = texts.filter(({ path }) => path === 'package.json' || path.endsWith('/package.json'))

const lockfiles = texts.filter(({ path }) => path === 'package-lock.json')

const denied = new Set(manifests.flatMap(({ text }) => [...deniedScripts(text)]))

const findings = [
  ...sources.flatMap(checkStyle), ...texts.flatMap(checkWords), ...manifests.flatMap(checkManifest),
  ...lockfiles.flatMap((file) => checkLockfile(file, denied)),
]
report('tidy', findings, texts.length)
