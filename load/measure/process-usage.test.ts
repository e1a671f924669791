import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { it } from 'node:test'
import { usageOf } from './process-usage.ts'

it('counts a process with its children, and nothing of those that are gone', async () => {
  const program = 'for (const end = Date.now() + 200; Date.now() < end;) {} console.log("done"); process.stdin.on("data", () => process.exit())'
  const child = spawn(process.execPath, ['-e', program])
  await once(child.stdout, 'data')
  const own = usageOf([child.pid!])
  assert.ok(own.cpuSeconds >= 0.05 && own.residentBytes > 10_000_000, JSON.stringify(own))
  const family = usageOf([process.pid])
  assert.ok(family.processCount >= 2 && family.cpuSeconds >= own.cpuSeconds && family.residentBytes > own.residentBytes)
  child.stdin.write('\n')
  await once(child, 'exit')
  assert.deepEqual(usageOf([child.pid!]), { cpuSeconds: 0, residentBytes: 0, processCount: 0 })
  assert.deepEqual(usageOf([]), { cpuSeconds: 0, residentBytes: 0, processCount: 0 })
})
