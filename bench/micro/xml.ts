// Megabytes a second and nanoseconds a stanza of the XML layer over a mixed corpus, by what is done with each stanza,
// and the heap bytes of an idle framer. Run: node --expose-gc bench/micro/xml.ts. CPU time, best of several rounds.
import { defaultLimits, type Frame, type FrameSink, latin1, parseElement, serialize, StreamFramer } from '@rollcall/xml'
import { Corpus, HEADER } from '@rollcall/xml/testing/corpus'

const STANZAS = 13_000
const ROUNDS = 7
const encoder = new TextEncoder()
const corpus = new Corpus(6120)
const stanzas = Array.from({ length: STANZAS }, () => encoder.encode(corpus.next()))
const bytes = Buffer.concat(stanzas)
let sum = 0

function chunksOf(size: number): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return chunks
}

function cpuNs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) * 1000
}

function report(name: string, work: () => void): void {
  let bestNs = Infinity
  for (let round = 0; round < ROUNDS; round++) bestNs = Math.min(bestNs, cpuNs(work))
  const megabytes = (bytes.length / bestNs) * 1000
  console.log(`${name.padEnd(58)} ${megabytes.toFixed(0).padStart(6)} MB/s ${(bestNs / STANZAS).toFixed(0).padStart(7)} ns/stanza`)
}

function frameAll(name: string, chunks: readonly Uint8Array[], element: (frame: Frame) => void): void {
  const sink: FrameSink = { streamOpen: () => {}, element, streamClose: () => {} }
  report(name, () => {
    const framer = new StreamFramer(defaultLimits)
    framer.push(encoder.encode(HEADER), sink)
    for (const chunk of chunks) framer.push(chunk, sink)
  })
}

/** What routing a stanza asks of a frame. */
function route(frame: Frame): void {
  const to = frame.attribute('to')
  sum += frame.name.length + frame.ns.length + (to === undefined ? 0 : to.length)
  sum += frame.attributesWire(['from', 'to']).length + frame.contentWire().length
}

function names(frame: Frame): void {
  for (let child = 0; child < frame.childCount; child++) sum += frame.childName(child).length + frame.childNs(child).length
}

console.log(`${process.version}: ${STANZAS} stanzas, ${(bytes.length / 1e6).toFixed(1)} MB, mean ${Math.round(bytes.length / STANZAS)} bytes`)
const chunks8k = chunksOf(8192)
report('latin1 copy only (floor)', () => {
  for (const chunk of chunks8k) sum += latin1(chunk, 0, chunk.length).length
})
for (const kib of [1, 8, 64]) frameAll(`all checks and tape, ${kib} KiB chunks`, chunksOf(kib * 1024), () => sum++)
frameAll('all checks and tape, one stanza a chunk', stanzas, () => sum++)
frameAll('… and routing by strings', chunks8k, route)
frameAll('… and routing, and names of children', chunks8k, (frame) => {
  route(frame)
  names(frame)
})
frameAll('… and toElement()', chunks8k, (frame) => void (sum += frame.toElement().children.length))
frameAll('… and toElement() and serialize()', chunks8k, (frame) => void (sum += serialize(frame.toElement(), frame.defaultNs).length))
const wires = stanzas.map((stanza) => latin1(stanza, 0, stanza.length))
report('parseElement(wire)', () => {
  for (const wire of wires) sum += parseElement(wire, 'jabber:client').children.length
})

function heldBytes(): number {
  for (let round = 0; round < 3; round++) globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function idleFramer(): StreamFramer {
  const framer = new StreamFramer(defaultLimits)
  framer.push(encoder.encode(`${HEADER}<presence/>`), { streamOpen: () => {}, element: () => {}, streamClose: () => {} })
  return framer
}

const idle = Array.from({ length: 50_000 }, idleFramer)
const withFramers = heldBytes()
idle.fill(idleFramer())
console.log(`idle framer: ${Math.round((withFramers - heldBytes()) / idle.length)} bytes (checksum ${sum % 1000})`)
