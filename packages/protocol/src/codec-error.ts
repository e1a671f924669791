/** The one error of this package: an element (or a value to encode) that does not fit its declaration. */

/** What an error was made from, such as a JidError. */
interface Cause {
  readonly cause?: unknown
}

/**
 * Thrown by `decode` for an element that breaks its declaration and by `encode` for a value that cannot be written.
 * The message names the element and the attribute or child; peers' text in it is cut short, so it is safe to log.
 * `cause` is the JidError where an address was bad, so that it can be answered with `jid-malformed`.
 */
export class CodecError extends Error {
  /** Name of the element that was being decoded or encoded. */
  readonly element: string
  readonly ns: string

  constructor(element: string, ns: string, problem: string, options?: Cause) {
    super(`<${element} xmlns='${ns}'>: ${problem}`, options)
    this.name = 'CodecError'
    this.element = element
    this.ns = ns
  }
}

/** A value that is not in the lexical space of its type; `element()` turns it into a CodecError that says where. */
export class LexicalError extends Error {
  constructor(problem: string, options?: Cause) {
    super(problem, options)
    this.name = 'LexicalError'
  }
}

/** The text of a peer as shown in an error: quoted and at most 40 characters long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
