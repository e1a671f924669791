import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from './source-files.ts'
import { coverageByPackage, hasRuntimeCode, packagesBelow, percent } from './package-coverage.ts'

describe('coverage by package', () => {
  const packages = coverageByPackage([
    { path: 'packages/xml/src/a.ts', lines: 90, linesCovered: 90 },
    { path: 'packages/xml/src/b.ts', lines: 10, linesCovered: 5 },
    { path: 'packages/jid/src/a.ts', lines: 100, linesCovered: 94 },
  ])

  it('weighs files by their lines', () => {
    assert.deepEqual([...packages].map(([name, sum]) => [name, percent(sum)]), [['jid', 94], ['xml', 95]])
  })

  it('names packages under the threshold and packages that were not measured', () => {
    assert.deepEqual(packagesBelow(packages, new Map([['xml', 95], ['jid', 95], ['stanza', 95]])), ['jid', 'stanza'])
  })

  const program = (text: string) => parse({ path: 'packages/xml/src/a.ts', text })

  it('sees that a file has types only', () => {
    const text = `import { b } from './b.ts'\nexport type A = typeof b\nexport interface C { d: A }\nexport type { E } from './e.ts'`
    assert.equal(hasRuntimeCode(program(text)), false)
  })

  it('sees code beside types', () => {
    assert.equal(hasRuntimeCode(program('export type A = 1\nexport const a: A = 1')), true)
    assert.equal(hasRuntimeCode(program(`export * from './b.ts'`)), true)
  })
})
