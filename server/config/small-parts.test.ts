import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { defineModule, option } from '@rollcall/module-api'
import { configReference, exampleConfig } from './example.ts'
import { readEnvironment, variableOf } from './environment.ts'
import { fileKey } from './field.ts'
import type { AnyField } from './field.ts'
import { parseYaml } from './raw.ts'
import { readConfig } from './read.ts'
import { schemaOf } from './schema.ts'
import { closest } from './suggest.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

const modules = [defineModule({
  name: 'last-activity', summary: 'Tells when.', implements: [], config: { cacheMs: option.integer(1000, 0, 60_000, 'How long.') }, setup: () => undefined,
})]

describe('units', () => {
  it('what is written is read back', () => {
    fc.assert(fc.property(fc.nat(2 ** 40), (value) => {
      assert.equal(parseDuration(formatDuration(value)), value)
      assert.equal(parseSize(formatSize(value)), value)
    }))
  })

  it('reads durations with their units only, sizes with or without', () => {
    const durations: [string, number | undefined][] = [
      ['30s', 30_000], ['1.5 m', 90_000], ['2h', 7_200_000], ['1d', 86_400_000], ['0', 0], ['5', undefined], ['-1s', undefined], ['s', undefined],
      ['1w', undefined],
    ]
    for (const [text, ms] of durations) assert.equal(parseDuration(text), ms, text)
    const sizes: [string, number | undefined][] = [
      ['1024', 1024], ['256KiB', 262_144], ['1kb', 1000], ['1.5 MiB', 1_572_864], ['1TB', undefined], ['1e3', undefined], ['99999999999999GiB', undefined],
    ]
    for (const [text, bytes] of sizes) assert.equal(parseSize(text), bytes, text)
  })
})

describe('suggestions', () => {
  const cases: [name: string, known: string[], near: string | undefined][] = [
    ['levle', ['level', 'format'], 'level'], ['stanza-bytes-max', ['stanzaBytesMax'], 'stanzaBytesMax'], ['prot', ['port', 'path'], 'port'],
    ['hots', ['hosts', 'http'], 'hosts'], ['colour', ['level', 'format'], undefined], ['x', ['y'], 'y'], ['x'.repeat(10_000), ['y'], undefined],
  ]
  for (const [name, known, near] of cases) {
    it(`${name.slice(0, 20)}: ${near ?? 'none'}`, () => assert.equal(closest(name, known), near))
  }
})

describe('the example and the reference', () => {
  const schema = schemaOf(modules)

  it('the example says nothing until it is uncommented, and then the defaults', () => {
    const example = exampleConfig(modules)
    assert.equal(parseYaml(example, 'x').value, undefined)
    const uncommented = example.split('\n').slice(5).map((line) => line.replace(/^# /, '')).join('\n')
    const { value, faults } = parseYaml(uncommented, 'x')
    assert.deepEqual(faults, [])
    const read = readConfig(schema, value, 'x')
    assert.deepEqual(read.faults, [])
    const { hosts, listeners, components, contacts, modules: moduleSettings, ...settings } = read.value
    const { hosts: _h, listeners: _l, components: _c, contacts: _k, modules: _m, ...defaults } = readConfig(schema, undefined, 'x').value
    assert.deepEqual(settings, defaults)
    assert.deepEqual([hosts.length, listeners.length, components.length, Object.keys(contacts).length], [1, 4, 1, 7])
    assert.deepEqual(moduleSettings, { 'last-activity': { enabled: true, cacheMs: 1000 } })
  })

  it('the reference has every setting, with a variable that sets it', () => {
    const reference = configReference(modules)
    const visit = (field: AnyField, path: readonly string[]) => {
      if (field.kind === 'section') {
        for (const [key, child] of Object.entries(field.fields)) visit(child, [...path, fileKey(key, child)])
        return
      }
      const variable = variableOf(path)
      if (field.kind !== 'list') assert.ok(reference.includes(`\`${variable}\``), variable)
      assert.deepEqual(readEnvironment({ [variable]: '[]' }, schema).faults, [], variable)
    }
    visit(schema, [])
  })
})
