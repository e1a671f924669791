#!/usr/bin/env node
// The `rollcall` command: `npx rollcall …`, `npm start`. Hands over to server/cli.ts on the pinned Node.

import { fileURLToPath } from 'node:url'
import { withPinnedNode } from './pinned-node.mjs'

const args = process.argv.slice(2)

// A server with thousands of idle connections needs little room for short-lived objects: with V8's defaults, garbage that
// nobody collects yet was half of the memory of a connection, and no throughput was gained by it. Measured, CPU is the same.
const flags = args[0] === 'start' ? ['--max-semi-space-size=4', '--heap-growing-percent=25'] : []

// V8 compiles on four threads, and each would keep, in a region of memory of its own, what it needed at a start: 20 to 30 MiB.
// Read by glibc when a process begins, so it is for the server that is about to be started, and for workers.
if (args[0] === 'start') process.env.MALLOC_ARENA_MAX ??= '2'

await withPinnedNode(fileURLToPath(import.meta.url), args, async () => {
  const { main } = await import('../server/cli.ts')
  process.exitCode = await main(args)
}, flags)
