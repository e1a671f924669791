// Writes the files that are derived from the modules' declarations; `--check` only compares and exits 1 when
// one is stale, so that a declaration and its reference can never drift apart.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AnyModule } from '@rollcall/module-api'
import { defaultExport, moduleList } from './generate/module-list.ts'
import { configReference } from '../server/config/example.ts'
import { errorReference } from '../server/config/error-codes.ts'
import { doap, xepReference } from './generate/references.ts'
import { coreImplements } from '../server/core/implements.ts'
import { edgeImplements } from '../server/edge/implements.ts'
import { listFiles, repositoryRoot } from './source-files.ts'

const modulePaths = listFiles(repositoryRoot, 'modules', ['module.ts']).filter((path) => /^modules\/[^/]+\/module\.ts$/.test(path))
async function load(path: string): Promise<AnyModule> {
  const exports = (await import(pathToFileURL(join(repositoryRoot, path)).href)) as { default?: AnyModule }
  return defaultExport(path, exports)
}

const modules = await Promise.all(modulePaths.map(load))
/** Modules, and what works without any of them. */
const declarers = [...modules, { name: 'core', implements: coreImplements }, { name: 'edge', implements: edgeImplements }]
const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string }

const generated = new Map([
  ['server/modules.generated.ts', moduleList(modulePaths)],
  ['docs/reference/xeps.md', xepReference(declarers)],
  ['docs/reference/config.md', configReference(modules)],
  ['docs/reference/errors.md', errorReference()],
  ['doap.xml', doap(declarers, version)],
])

const stale: string[] = []
for (const [path, text] of generated) {
  const file = join(repositoryRoot, path)
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
  stale.push(path)
  if (process.argv.includes('--check')) continue
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

if (process.argv.includes('--check') && stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}\nRun "npm run generate" and commit the result.`)
  process.exitCode = 1
} else {
  console.log(stale.length === 0 ? 'generated files are current' : `written: ${stale.join(', ')}`)
}
