/**
 * What one peer may make us hold or do. Every limit is checked while scanning, before anything is allocated for the
 * element, and breaking one is a `policy-violation` (RFC 6120 §4.9.3.14).
 */

/** Bounds on one first-level element (or the stream header); exceeding any is a `policy-violation`. */
export interface XmlLimits {
  /** Bytes from `<` to the matching `>`, both included; the stream header is held to it too. */
  readonly elementBytesMax: number
  /** Levels of nesting; the first-level element itself is level 1. At most 1000, because decoding recurses. */
  readonly depthMax: number
  /** Attributes of one tag, namespace declarations included. */
  readonly attributesMax: number
  /** Elements and text runs in one first-level element; with `attributesMax` it bounds the tape. */
  readonly childrenMax: number
}

/** Limits for an authenticated client: RFC 6120 §13.12 asks for at least 10,000 bytes, avatars and vCards need more. */
export const defaultLimits: XmlLimits = {
  elementBytesMax: 256 * 1024,
  depthMax: 64,
  attributesMax: 64,
  childrenMax: 16_384,
}

/** The widest limits there are: for wire strings that were scanned or written by this server before. */
export const internalLimits: XmlLimits = {
  elementBytesMax: 2 ** 28,
  depthMax: 1000,
  attributesMax: 1024,
  childrenMax: 2 ** 22,
}

/** Returns the limits unchanged, or throws a RangeError when one is not a whole number in its range. */
export function checkLimits(limits: XmlLimits): XmlLimits {
  const { elementBytesMax, depthMax, attributesMax, childrenMax } = limits
  const ok =
    isBetween(elementBytesMax, 1, 2 ** 28) &&
    isBetween(depthMax, 1, 1000) &&
    isBetween(attributesMax, 0, 1024) &&
    isBetween(childrenMax, 1, 2 ** 22)
  if (!ok) throw new RangeError('XML limits out of range')
  return limits
}

function isBetween(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}
