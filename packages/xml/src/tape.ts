/**
 * The offset tape: what a scan leaves behind.
 *
 * One Int32Array holds the nodes of one first-level element in document order; every offset is a byte offset from the
 * `<` of that element, so it is also an index into the element's latin1 string. Nothing is copied or decoded.
 *
 * ```
 * element:  kind | name start | colon | name end | parent | attribute slots | content start | content end | end | next
 *           then per attribute: flags | name start | colon | name end | value start | value end
 * text:     kind | start | end
 * ```
 * `colon` is the offset of the colon of a qualified name, 0 when there is none. `parent` and `next` are tape indices:
 * the enclosing element (-1 for the top) and the first slot after the whole subtree, so walking children is hopping.
 */

/** Kind of a node, in the low two bits of its first slot. */
export const KIND_MASK = 3
export const ELEMENT = 1
export const TEXT = 2
export const CDATA = 3

/** Element: its tag declares a namespace. */
export const DECLARES = 4
/** Element: its tag uses a prefix in its name or in an attribute name. */
export const PREFIXED = 8
/** Text: holds a reference or a carriage return, so decoding must rewrite it. */
export const REWRITE = 16

export const NAME_START = 1
export const NAME_COLON = 2
export const NAME_END = 3
export const PARENT = 4
export const ATTRIBUTES = 5
export const CONTENT_START = 6
export const CONTENT_END = 7
export const END = 8
export const NEXT = 9
/** Slots of an element before its attributes. */
export const ELEMENT_SLOTS = 10

/** Slots of one attribute, and where each field is in them. */
export const ATTRIBUTE_SLOTS = 6
export const A_FLAGS = 0
export const A_NAME_START = 1
export const A_COLON = 2
export const A_NAME_END = 3
export const A_VALUE_START = 4
export const A_VALUE_END = 5

/** Attribute: the value holds a reference or white space that must be normalised (XML 1.0 §3.3.3). */
export const A_REWRITE = 1
/** Attribute: the value is double-quoted and holds an apostrophe. */
export const A_APOSTROPHE = 2
/** Attribute: `xmlns` or `xmlns:prefix`. */
export const A_DECLARES = 4

/** Slots of a text node. */
export const TEXT_SLOTS = 3
export const TEXT_START = 1
export const TEXT_END = 2
