import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { findPinnedNode, isNodeNewEnough } from './pinned-node.mjs'

const pinnedNodeUrl = pathToFileURL(join(import.meta.dirname, 'pinned-node.mjs')).href

describe('the launcher of the pinned Node', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rollcall-launcher-'))
  })
  after(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  /** A script that runs `child` under a new Node as an old Node's launcher would. */
  async function launcherOf(child: string): Promise<string> {
    const childPath = join(folder, 'child.mjs')
    const launcherPath = join(folder, 'launcher.mjs')
    await writeFile(childPath, child)
    await writeFile(launcherPath, `import { runUnderPinnedNode } from '${pinnedNodeUrl}'\nrunUnderPinnedNode('${childPath}', process.argv.slice(2))\n`)
    return launcherPath
  }

  it('accepts Node 24 and newer only', () => {
    assert.deepEqual(['20.20.2', '23.11.0', '24.0.0', '26.1.0'].map((version) => isNodeNewEnough(version)), [false, false, true, true])
  })

  it('finds the binary of this platform, at the version of package.json', async () => {
    const { stdout } = await promisify(execFile)(findPinnedNode(), ['--version'])
    assert.match(stdout, /^v26\.10\.0\n$/)
  })

  it('says what to do on a platform without one', () => {
    assert.throws(() => findPinnedNode('sunos', 'sparc'), /node-sunos-sparc is not installed[^]*npm ci/)
  })

  it('passes arguments, output and exit status on', async () => {
    const launcher = await launcherOf('console.log(process.argv.slice(2).join()); process.exitCode = 7')
    const failure = await promisify(execFile)(process.execPath, [launcher, 'a', 'b c']).catch((error: unknown) => error)
    const { code, stdout } = failure as { code: number; stdout: string }
    assert.deepEqual({ code, stdout }, { code: 7, stdout: 'a,b c\n' })
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`passes ${signal} on and waits for the graceful end`, async () => {
      const child = `process.on('${signal}', () => { console.log('stopped'); process.exit(3) }); setTimeout(() => {}, 20_000); console.log('ready')`
      const launcher = spawn(process.execPath, [await launcherOf(child)], { stdio: ['ignore', 'pipe', 'pipe'] })
      let output = ''
      launcher.stdout.on('data', (bytes: Buffer) => {
        output += bytes.toString()
        if (output === 'ready\n') launcher.kill(signal)
      })
      const code = await new Promise((resolve) => launcher.once('close', resolve))
      assert.deepEqual({ code, output }, { code: 3, output: 'ready\nstopped\n' })
    })
  }

  it('ends by the signal that ended the child', async () => {
    const launcher = spawn(process.execPath, [await launcherOf(`process.kill(process.pid, 'SIGTERM')`)], { stdio: 'ignore' })
    const signal = await new Promise((resolve) => launcher.once('close', (_code, name) => resolve(name)))
    assert.equal(signal, 'SIGTERM')
  })
})
