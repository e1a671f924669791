#!/usr/bin/env node
// The `rollcall` command: `npx rollcall …`, `npm start`. Hands over to server/cli.ts on the pinned Node.

import module from 'node:module'
import { fileURLToPath } from 'node:url'
import { withPinnedNode } from './pinned-node.mjs'

const args = process.argv.slice(2)

// Half of a start's CPU is parsing. Beside the code, not in a folder that others may write to; a read-only one is no error.
module.enableCompileCache?.(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)))

// Little room for short-lived objects: more of it gained nothing. The first 96 MiB of the rest are not collected as a whole while they
// fill: a storm of logins would pay for that again and again. What is left is given back when it is over (server/runtime/heap-policy.ts,
// docs/adr/0021-heap-policy.md). And all objects begin as short-lived ones: what survived a collection in a storm mostly does not the next time.
const flags = args[0] === 'start' ? ['--max-semi-space-size=4', '--initial-old-space-size=96', '--no-allocation-site-pretenuring'] : []

await withPinnedNode(fileURLToPath(import.meta.url), args, async () => {
  const { main } = await import('../server/cli.ts')
  process.exitCode = await main(args)
}, flags)
