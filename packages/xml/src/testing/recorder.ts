/** Runs a stream through a StreamFramer and writes down everything it says, so that two runs can be compared. */
import type { XmlElement } from '../element.ts'
import { XmlError } from '../errors.ts'
import type { Frame } from '../frame.ts'
import { type FrameSink, StreamFramer } from '../framer.ts'
import type { StreamHeader } from '../header.ts'
import { defaultLimits, type XmlLimits } from '../limits.ts'

/** A sink that keeps events as one line of text each, and the decoded elements. */
export class Recorder implements FrameSink {
  readonly events: string[] = []
  readonly elements: XmlElement[] = []
  header: StreamHeader | undefined

  streamOpen(header: StreamHeader): void {
    this.header = header
    const { attributes, prefixes, ...names } = header
    this.events.push(`open ${JSON.stringify([names, [...attributes], [...prefixes]])}`)
  }

  element(frame: Frame): void {
    const element = frame.toElement()
    this.elements.push(element)
    this.events.push(`element ${frame.name} ${frame.ns} ${describe(frame)} ${JSON.stringify(toJson(element))}`)
  }

  streamClose(): void {
    this.events.push('close')
  }
}

/** Every cheap answer of a frame in one line. */
export function describe(frame: Frame): string {
  const children: string[] = []
  for (let child = 0; child < frame.childCount; child++) {
    const wire = frame.contentWire().slice(frame.childStart(child), frame.childEnd(child))
    children.push(`${frame.childName(child)} ${frame.childNs(child)} ${wire}`)
  }
  return JSON.stringify([frame.attribute('to'), frame.attributesWire(['to', 'from']), frame.contentWire(), children])
}

/** An element as plain data, for comparisons that print well. */
export function toJson(element: XmlElement): unknown {
  const children = element.children.map((node) => (typeof node === 'string' ? node : toJson(node)))
  return [element.name, element.ns, Object.fromEntries(element.attributes), children]
}

/** Feeds the chunks to a new framer; an XmlError becomes the last event. */
export function record(chunks: Iterable<Uint8Array>, limits: XmlLimits = defaultLimits): Recorder {
  const recorder = new Recorder()
  const framer = new StreamFramer(limits)
  try {
    for (const chunk of chunks) framer.push(chunk, recorder)
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    recorder.events.push(`error ${error.condition}`)
  }
  return recorder
}

/** Cuts bytes at the given offsets. */
export function* cut(bytes: Uint8Array, offsets: readonly number[]): Generator<Uint8Array> {
  let from = 0
  for (const offset of offsets.toSorted((one, other) => one - other)) {
    yield bytes.slice(from, offset)
    from = offset
  }
  yield bytes.slice(from)
}

/** Cuts bytes into chunks of `size`. */
export function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}
