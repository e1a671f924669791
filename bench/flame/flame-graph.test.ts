import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { flameSvg, layerOf, selfTimes, treeOf } from './flame-graph.ts'
import type { CpuProfile } from './flame-graph.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 1 })

const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 3, 6] },
    { id: 2, callFrame: frame('(idle)') },
    { id: 3, callFrame: frame('onData', `file://${root}server/edge/tcp-connection.ts`), children: [4, 5] },
    { id: 4, callFrame: frame('route<T>', `file://${root}server/core/router.ts`) },
    { id: 5, callFrame: frame('', 'file:///elsewhere/secret/place/lib.js') },
    { id: 6, callFrame: frame('(garbage collector)') },
  ],
  startTime: 0, endTime: 1000, samples: [2, 3, 4, 5, 6, 4], timeDeltas: [0, 100, 10, 20, 30, 40],
}

test('time is what passes until the next sample; idle time is none', () => {
  const tree = treeOf(profile)
  assert.equal(tree.totalUs, 10 + 20 + 30 + 40)
  assert.deepEqual(selfTimes(tree, ({ name }) => name), [['(garbage collector)', 40], ['(anonymous)', 30], ['route<T>', 20], ['onData', 10]])
  assert.deepEqual(selfTimes(tree, ({ file }) => layerOf(file)).map(([layer]) => layer), ['native code, garbage collection', 'server/core', 'server/edge'])
})

test('only the samples between two times count', () => {
  assert.equal(treeOf(profile, 105, 115).totalUs, 20)
})

test('files are named from the root of the repository, and nothing else of the machine', () => {
  const svg = flameSvg(treeOf(profile), 'A test')
  assert.match(svg, /<title>route&lt;T&gt;, server\/core\/router\.ts: 20\.0 %<\/title>/)
  assert.match(svg, /<title>\(anonymous\), …\/lib\.js: 30\.0 %<\/title>/)
  assert.ok(!svg.includes(root) && !svg.includes('secret'))
})
