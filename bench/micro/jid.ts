// Nanoseconds per parseJidWire: cache hit, miss (fast ASCII way and Unicode), and heap bytes per held Jid.
// Run: node --expose-gc bench/micro/jid.ts. Wire strings are cut from a larger string, as the scanner does.
import { jidCache, parseJid, parseJidWire, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'

const COUNT = 200_000
const ROUNDS = 5

/** Cuts fresh substrings of one long text, so that no hash is computed before the measured call. */
function cut(texts: readonly string[]): string[] {
  const long = texts.join(' ')
  let at = 0
  return texts.map(text => {
    const start = at
    at += text.length + 1
    return long.slice(start, start + text.length)
  })
}

function measure(name: string, texts: () => string[], parse: (text: string) => unknown, prepare: () => void): void {
  let bestNs = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    const inputs = texts()
    prepare()
    const startNs = process.hrtime.bigint()
    for (const input of inputs) parse(input)
    bestNs = Math.min(bestNs, Number(process.hrtime.bigint() - startNs) / inputs.length)
  }
  console.log(`${name.padEnd(44)} ${bestNs.toFixed(0).padStart(6)} ns`)
}

function measureHeap(name: string, build: (index: number) => Jid): void {
  const held: Jid[] = []
  jidCache.clear()
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < COUNT; i++) held.push(build(i))
  jidCache.clear()
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / held.length
  console.log(`${name.padEnd(44)} ${bytes.toFixed(0).padStart(6)} B`)
}

const numbered = (make: (i: number) => string) => (count: number) => cut(Array.from({ length: count }, (_, i) => make(i)))
const accounts = numbered(i => `user${i}@capulet.example/balcony${i % 7}`)
const upper = numbered(i => `User${i}@Capulet.example/balcony${i % 7}`)
const unicode = numbered(i => Buffer.from(`jos\u00e9${i}@capulet.example/\u265a${i % 7}`).toString('latin1'))
const unicodeDomain = numbered(i => Buffer.from(`user${i}@b\u00fccher${i % 50}.example/a`).toString('latin1'))

measure('hit, 2000 addresses in use', () => cut(Array.from({ length: COUNT }, (_, i) => `user${i % 2000}@capulet.example/balcony`)), parseJidWire, () => {})
measure('miss, ASCII', () => accounts(COUNT / 4), parseJidWire, () => jidCache.clear())
measure('miss, ASCII with capitals', () => upper(COUNT / 4), parseJidWire, () => jidCache.clear())
measure('miss, Unicode localpart and resourcepart', () => unicode(COUNT / 4), parseJidWire, () => jidCache.clear())
measure('miss, Unicode domainpart', () => unicodeDomain(COUNT / 20), parseJidWire, () => jidCache.clear())
measure('refused (a space in the localpart)', () => Array.from({ length: COUNT / 10 }, (_, i) => `user ${i}@capulet.example`), tryParseJid, () => {})
if (globalThis.gc === undefined) console.log('heap sizes: run with --expose-gc')
else {
  measureHeap('held bare Jid, strings included', i => parseJid(`user${i}@capulet.example`))
  measureHeap('held full Jid with its bare, all strings', i => parseJidWire(` user${i}@capulet.example/balcony${i}`.slice(1)))
  const bare = parseJid('romeo@montague.example')
  measureHeap('held full Jid of a shared bare one', i => bare.withResource(`orchard${i}`))
}
console.log(jidCache.stats)
