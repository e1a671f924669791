// Runs a TypeScript file of this repository on the pinned Node: `node tools/run.mjs tools/check.ts …`.
// npm scripts go through here so that a host with an older Node gets a working run or a clear error.

import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { withPinnedNode } from './pinned-node.mjs'

const [script, ...args] = process.argv.slice(2)
if (script === undefined) {
  console.error('usage: node tools/run.mjs SCRIPT.ts [ARGUMENT]…')
  process.exit(2)
}

await withPinnedNode(fileURLToPath(import.meta.url), [script, ...args], async () => {
  const path = resolve(script)
  process.argv = [process.execPath, path, ...args]
  await import(pathToFileURL(path).href)
})
