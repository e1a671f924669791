#!/usr/bin/env node
// The `rollcall` command: `npx rollcall …`, `npm start`. Hands over to server/cli.ts on the pinned Node.

import module from 'node:module'
import { fileURLToPath } from 'node:url'
import { withPinnedNode } from './pinned-node.mjs'

const args = process.argv.slice(2)

// Half of a start's CPU is parsing. Beside the code, not in a folder that others may write to; a read-only one is no error.
module.enableCompileCache?.(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)))

// A server with thousands of idle connections needs little room for short-lived objects: with V8's defaults, garbage that
// nobody collects yet was half of the memory of a connection, and no throughput was gained by it. Measured, CPU is the same.
const flags = args[0] === 'start' ? ['--max-semi-space-size=4', '--heap-growing-percent=25'] : []

await withPinnedNode(fileURLToPath(import.meta.url), args, async () => {
  const { main } = await import('../server/cli.ts')
  process.exitCode = await main(args)
}, flags)
