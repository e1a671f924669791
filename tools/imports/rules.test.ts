import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkAmbient } from './ambient-rule.ts'
import { checkCycles } from './cycle-rule.ts'
import { listImports } from './import-list.ts'
import { checkLayers } from './layer-rules.ts'

/** Runs every rule over files given as `path: text` and returns `path:line rule` for each finding. */
function findings(files: Record<string, string>): string[] {
  const parsed = Object.entries(files).map(([path, text]) => listImports({ path, text }))
  return [...checkLayers(parsed), ...checkCycles(parsed), ...checkAmbient(parsed)].map(({ path, line, rule }) => `${path}:${line} ${rule}`)
}

/** One file that imports `specifier` on its second line. */
function importing(path: string, specifier: string): string[] {
  return findings({ [path]: `// opens\nimport { a } from '${specifier}'\nexport const b = a\n` })
}

const broken: [rule: string, path: string, specifier: string][] = [
  ['package-order', 'packages/xml/src/a.ts', '@rollcall/jid'],
  ['package-order', 'packages/jid/src/a.ts', '@rollcall/protocol'],
  ['package-order', 'packages/stream/src/a.ts', '@rollcall/module-api'],
  ['package-order', 'packages/stanza/src/a.ts', '@rollcall/testing'],
  ['package-order', 'packages/client/src/a.ts', '@rollcall/module-api'],
  ['package-alone', 'packages/stream/src/a.ts', '../../../server/edge/a.ts'],
  ['package-alone', 'packages/testing/src/a.ts', '../../../backends/storage-sqlite/a.ts'],
  ['package-entry', 'server/edge/a.ts', '../../packages/xml/src/scanner.ts'],
  ['package-entry', 'packages/jid/src/a.ts', '../../xml/src/index.ts'],
  ['no-node', 'packages/xml/src/a.ts', 'node:buffer'],
  ['no-node', 'modules/ping/module.ts', 'node:crypto'],
  ['no-node', 'modules/ping/bytes-node.ts', 'node:buffer'],
  ['module-port', 'modules/ping/module.ts', '../roster/module.ts'],
  ['module-port', 'modules/ping/module.ts', '../roster/state/port.ts'],
  ['no-server', 'modules/ping/module.ts', '../../server/core/router.ts'],
  ['no-server', 'backends/storage-sqlite/index.ts', '../../server/runtime/clock.ts'],
  ['composition-root', 'server/core/router.ts', '../../modules/roster/port.ts'],
  ['composition-root', 'server/cli.ts', '../backends/storage-sqlite/index.ts'],
  ['composition-root', 'modules/mam/module.ts', '../../backends/storage-sqlite/index.ts'],
  ['edge-core', 'server/edge/session.ts', '../core/shard.ts'],
  ['edge-core', 'server/core/shard.ts', '../edge/session.ts'],
]

const allowed: [path: string, specifier: string][] = [
  ['packages/jid/src/a.ts', '@rollcall/xml'],
  ['packages/module-api/src/a.ts', '@rollcall/ports'],
  ['packages/testing/src/a.ts', '@rollcall/module-api'],
  ['packages/testing/src/a.ts', 'node:crypto'],
  ['packages/xml/src/a.test.ts', '@rollcall/testing'],
  ['packages/xml/src/a.test.ts', 'node:test'],
  ['packages/xml/src/bytes-node.ts', 'node:buffer'],
  ['packages/jid/src/a.ts', 'tr46'],
  ['modules/ping/module.ts', '../roster/port.ts'],
  ['modules/ping/module.ts', './parts/b.ts'],
  ['modules/ping/module.ts', '@rollcall/module-api'],
  ['modules/ping/module.test.ts', '../../server/core/shard.ts'],
  ['server/main.ts', '../backends/storage-sqlite/index.ts'],
  ['server/modules.generated.ts', '../modules/roster/module.ts'],
  ['server/core/shard.test.ts', '../../backends/storage-sqlite/index.ts'],
  ['server/edge/session.ts', '../protocol/envelope.ts'],
  ['server/core/shard.ts', '../runtime/clock.ts'],
  ['bench/relay.ts', '../backends/storage-sqlite/index.ts'],
]

describe('layer rules', () => {
  for (const [rule, path, specifier] of broken) {
    it(`${rule}: ${path} may not import ${specifier}`, () => {
      assert.deepEqual(importing(path, specifier), [`${path}:2 ${rule}`])
    })
  }
  for (const [path, specifier] of allowed) {
    it(`${path} may import ${specifier}`, () => {
      assert.deepEqual(importing(path, specifier), [])
    })
  }

  const forms = [
    `import type { A } from '@rollcall/jid'`,
    `export * from '@rollcall/jid'`,
    `export { a } from '@rollcall/jid'`,
    `export const a = await import('@rollcall/jid')`,
    `export type A = import('@rollcall/jid').A`,
    `import '@rollcall/jid'`,
  ]
  for (const form of forms) {
    it(`sees ${form}`, () => {
      assert.deepEqual(findings({ 'packages/xml/src/a.ts': form }), ['packages/xml/src/a.ts:1 package-order'])
    })
  }
})

describe('import cycles', () => {
  it('reports the import that closes a round of three files', () => {
    const files = {
      'server/core/a.ts': `import './b.ts'`,
      'server/core/b.ts': `\nimport './c.ts'`,
      'server/core/c.ts': `\n\nimport type { A } from './a.ts'`,
    }
    assert.deepEqual(findings(files), ['server/core/c.ts:3 no-cycle'])
  })

  it('reports a cycle that a package closes through its own name', () => {
    const files = {
      'packages/xml/src/index.ts': `export * from './a.ts'`,
      'packages/xml/src/a.ts': `import { b } from '@rollcall/xml'`,
    }
    assert.deepEqual(findings(files), ['packages/xml/src/a.ts:1 no-cycle'])
  })

  it('reports a file that imports itself', () => {
    assert.deepEqual(findings({ 'server/core/a.ts': `import './a.ts'` }), ['server/core/a.ts:1 no-cycle'])
  })

  it('accepts a diamond', () => {
    const files = {
      'server/core/a.ts': `import './b.ts'\nimport './c.ts'`,
      'server/core/b.ts': `import './d.ts'`,
      'server/core/c.ts': `import './d.ts'`,
      'server/core/d.ts': `export const d = 1`,
    }
    assert.deepEqual(findings(files), [])
  })
})

describe('ambient time, randomness and I/O', () => {
  const path = 'server/core/a.ts'
  const uses = [
    'export const a = Date.now()',
    `export const a = Date['now']()`,
    'export const a = new Date()',
    'export const a = Date()',
    'export const a = Math.random()',
    'export const a = performance.now()',
    'export const a = crypto.randomUUID()',
    'export const a = crypto.getRandomValues(new Uint8Array(8))',
    'setTimeout(() => {}, 1)',
    'export const a = { wait: setInterval }',
    'export const a = { setImmediate }',
    'clearTimeout(undefined)',
    'export const a = process.env',
    'export const a = [process][0]',
    `console.log('a')`,
    'export const a = globalThis.process',
    'export const a = globalThis.Date',
    `import { argv } from 'node:process'`,
    `import { setTimeout } from 'node:timers/promises'`,
    `import { randomBytes } from 'node:crypto'`,
  ]
  for (const use of uses) {
    it(`reports ${use}`, () => {
      assert.deepEqual(findings({ [path]: use }), [`${path}:1 ambient`])
    })
  }

  const harmless = [
    'export const a = new Date(0)',
    'export const a = Math.floor(1.5)',
    'export const a = (clock: Clock) => clock.setTimeout(1)',
    'export const a = (process: Member) => process.name',
    'export const a = ({ console }: Ports) => console.log(1)',
    'export type A = { process: string; setTimeout(): void }',
    'export const a = { process: 1, console: 2 }',
    'export class A { process = 1 }',
    `import { createHmac } from 'node:crypto'`,
    `import { performance } from './clock.ts'\nexport const a = performance.now()`,
  ]
  for (const use of harmless) {
    it(`accepts ${use.replace('\n', '; ')}`, () => {
      assert.deepEqual(findings({ [path]: use }), [])
    })
  }

  for (const free of ['server/runtime/a.ts', 'tools/a.ts', 'load/a.ts', 'apps/web/a.ts', 'server/core/a.test.ts', 'packages/testing/src/a.ts']) {
    it(`is free in ${free}`, () => {
      assert.deepEqual(findings({ [free]: 'export const a = Date.now() + Math.random()' }), [])
    })
  }

  for (const bound of ['packages/xml/src/a.ts', 'modules/ping/module.ts', 'backends/storage-sqlite/a.ts', 'server/main.ts', 'sim/a.ts']) {
    it(`is bound in ${bound}`, () => {
      assert.deepEqual(findings({ [bound]: 'export const a = Date.now()' }), [`${bound}:1 ambient`])
    })
  }
})
