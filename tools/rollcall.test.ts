/** The launcher of the `rollcall` command. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { promisify } from 'node:util'

it('says nothing on standard error, and keeps compiled code for the next start', async () => {
  const root = join(import.meta.dirname, '..')
  const { stderr, stdout } = await promisify(execFile)(process.execPath, [join(root, 'tools/rollcall.mjs'), '--help'])
  assert.equal(stderr, '')
  assert.match(stdout, /^Usage: rollcall/)
  const kept = await readdir(join(root, 'node_modules/.cache/compiled'), { recursive: true })
  assert.ok(kept.length > 100, `${kept.length} files`)
})
