#!/usr/bin/env node
// The `rollcall` command: `npx rollcall …`, `npm start`. Hands over to server/cli.ts on the pinned Node.

import { fileURLToPath } from 'node:url'
import { withPinnedNode } from './pinned-node.mjs'

const args = process.argv.slice(2)

await withPinnedNode(fileURLToPath(import.meta.url), args, async () => {
  const { main } = await import('../server/cli.ts')
  process.exitCode = await main(args)
})
