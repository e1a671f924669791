/**
 * The one error of this package. Its condition is the RFC 6120 §4.9.3 stream error that the peer should be told, so that
 * a stream can answer without knowing what the scanner found.
 */

/** The stream error conditions (RFC 6120 §4.9.3) that reading XML can lead to. */
export type XmlErrorCondition =
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'invalid-namespace'
  | 'not-well-formed'
  | 'policy-violation'
  | 'restricted-xml'
  | 'unsupported-encoding'

/** Thrown for XML that must not be accepted, and for text that XML 1.0 cannot carry; `condition` is the stream error to send. */
export class XmlError extends Error {
  readonly condition: XmlErrorCondition

  constructor(condition: XmlErrorCondition, message: string) {
    super(message)
    this.name = 'XmlError'
    this.condition = condition
  }
}
