/**
 * Differential fuzzing against saxes: streams with random edits, cut at random places. ROLLCALL_FUZZ_RUNS sets how many
 * (4,000 unless told), ROLLCALL_FUZZ_SEED where to begin; a failure prints the seed and the bytes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FrameSink, StreamFramer } from './framer.ts'
import { defaultLimits } from './limits.ts'
import type { XmlElement } from './element.ts'
import { scanDocument } from './document.ts'
import { XmlError } from './errors.ts'
import { Corpus, FOOTER, HEADER, mutate, randomFrom } from './testing/corpus.ts'
import { cut, toJson } from './testing/recorder.ts'
import { readWithSaxes } from './testing/saxes.ts'

const runs = Number(process.env.ROLLCALL_FUZZ_RUNS ?? 4000)
const firstSeed = Number(process.env.ROLLCALL_FUZZ_SEED ?? 1)

interface Outcome {
  accepts: boolean
  condition: string
  elements: XmlElement[]
  /** Bytes that the framer ignored after the close tag. */
  ignored: number
}

function readWithFramer(bytes: Uint8Array, offsets: readonly number[]): Outcome {
  const framer = new StreamFramer(defaultLimits)
  const outcome: Outcome = { accepts: false, condition: '', elements: [], ignored: 0 }
  let isClosed = false
  let coming = bytes.length
  const sink: FrameSink = {
    streamOpen: () => {},
    element: (frame) => void outcome.elements.push(frame.toElement()),
    streamClose: () => {
      isClosed = true
      outcome.ignored = framer.takeRest().length + coming
    },
  }
  try {
    for (const chunk of cut(bytes, offsets)) {
      coming -= chunk.length
      framer.push(chunk, sink)
      if (isClosed) break
    }
    outcome.accepts = isClosed
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    outcome.condition = error.condition
  }
  return outcome
}

/** saxes trims namespace names, which no specification asks for. */
function trimmed(element: XmlElement): unknown {
  return JSON.parse(JSON.stringify(toJson(element)), (_key, value: unknown) => {
    if (!Array.isArray(value) || value.length !== 4 || typeof value[1] !== 'string') return value
    return [value[0], value[1].trim(), value[2], value[3]] as unknown
  })
}

function compare(seed: number, counts: Map<string, number>): void {
  const random = randomFrom(seed)
  const corpus = new Corpus(seed)
  let text = HEADER
  for (let left = 1 + Math.floor(random() * 2); left > 0; left--) text += corpus.next()
  const whole = new TextEncoder().encode(text + FOOTER)
  const bytes = mutate(whole, random)
  const offsets = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * bytes.length))
  const ours = readWithFramer(bytes, offsets)
  const theirs = readWithSaxes(bytes.subarray(0, bytes.length - ours.ignored), true)
  const context = `seed ${seed}: ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`
  if (ours.accepts) {
    assert.ok(theirs.accepts, `false accept, ${context}`)
    assert.ok(!theirs.isRestricted, `restricted XML accepted, ${context}`)
    const theirElements = theirs.root?.elements() ?? []
    assert.deepEqual(ours.elements.map(trimmed), theirElements.map(trimmed), `different elements, ${context}`)
  } else {
    assert.ok(!theirs.accepts || theirs.isRestricted, `false reject (${ours.condition}), ${context}`)
  }
  const verdict = ours.accepts ? 'accepted' : ours.condition === '' ? 'incomplete' : ours.condition
  counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
}

test(`the framer accepts what saxes accepts, element for element, over ${runs} mutated streams`, (context) => {
  const counts = new Map<string, number>()
  for (let run = 0; run < runs; run++) compare(firstSeed + run, counts)
  context.diagnostic(JSON.stringify(Object.fromEntries(counts)))
  // A fuzzer that only ever sees one verdict tests nothing.
  if (runs >= 1000) assert.ok((counts.get('accepted') ?? 0) > runs / 20 && (counts.get('not-well-formed') ?? 0) > runs / 10)
})

function compareDocument(seed: number): boolean {
  const bytes = mutate(new TextEncoder().encode(new Corpus(seed).next()), randomFrom(seed))
  const theirs = readWithSaxes(bytes, false)
  const context = `seed ${seed}: ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`
  let element: XmlElement
  try {
    element = scanDocument(bytes, defaultLimits).toElement()
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    assert.ok(!theirs.accepts || theirs.isRestricted, `false reject (${error.condition}), ${context}`)
    return false
  }
  assert.ok(theirs.accepts && !theirs.isRestricted, `false accept, ${context}`)
  assert.deepEqual(trimmed(element), trimmed(theirs.root as XmlElement), `different elements, ${context}`)
  return true
}

test(`scanDocument accepts what saxes accepts, over ${runs} mutated stanzas`, () => {
  let accepted = 0
  for (let run = 0; run < runs; run++) if (compareDocument(firstSeed + run)) accepted++
  if (runs >= 1000) assert.ok(accepted > runs / 20 && accepted < runs)
})
