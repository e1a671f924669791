// Loaded before each test file (`--import`): ends a file that has not ended by itself in time, because a handle
// left open would otherwise hang the whole run. The limit comes in ROLLCALL_TEST_FILE_TIMEOUT_MS.
// A file that never returns to its event loop is stopped by the deadline of the whole run (test-files.ts).

import { isMainThread } from 'node:worker_threads'

const timeoutMs = Number(process.env.ROLLCALL_TEST_FILE_TIMEOUT_MS)

if (isMainThread && timeoutMs > 0 && process.env.NODE_TEST_CONTEXT !== undefined) {
  const deadline = setTimeout(() => {
    console.error(`${process.argv[1]} did not end within ${timeoutMs} ms; still open: ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit(1)
  }, timeoutMs)
  deadline.unref()
}
