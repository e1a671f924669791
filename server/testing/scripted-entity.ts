/**
 * One party of a wire script: a client or a component whose stanzas the test writes, and whose received stanzas the test
 * compares with what the specification shows.
 *
 * Comparison is by meaning: attribute order and quoting do not matter, child order does. In an expected stanza the value
 * `{any}` matches any attribute value or text that is present, and an attribute `x='{none}'` says that it is absent.
 */
import assert from 'node:assert/strict'
import type { Jid } from '@rollcall/jid'
import { fromWire, parseElement, parseText } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'

const NS_CLIENT = 'jabber:client'
const ACK_REQUEST = "<r xmlns='urn:xmpp:sm:3'/>"

export class ScriptedEntity {
  readonly conn: number
  /** The edge that it is connected to. */
  readonly edge: string
  /** Of a client, once bound. */
  jid!: Jid
  /** Of a component; '' for a client. */
  domain = ''
  /** Condition of the stream error that ended the connection, '' for a clean end; undefined while it lives. */
  closed: string | undefined = undefined
  /** What else that error held, as a wire string. */
  closeDetail = ''
  /** How often the server asked for an acknowledgement (XEP-0198 §4); those requests are not among what is received. */
  ackRequests = 0
  readonly #received: string[] = []
  readonly #send: (xml: string) => void
  readonly #settle: () => Promise<void>

  constructor(conn: number, edge: string, send: (xml: string) => void, settle: () => Promise<void>) {
    this.conn = conn
    this.edge = edge
    this.#send = send
    this.#settle = settle
  }

  /** Sends one stanza, or another first-level element (text; `jabber:client` is assumed). */
  send(xml: string): void {
    this.#send(xml)
  }

  /** Sends an iq and returns the answer, which must have the same id; other stanzas stay queued. */
  async request(xml: string): Promise<XmlElement> {
    const id = parseText(xml.trim(), NS_CLIENT).attribute('id')
    this.send(xml)
    await this.#settle()
    const index = this.#received.findIndex((wire) => {
      const element = parseElement(wire, NS_CLIENT)
      return element.name === 'iq' && element.attribute('id') === id
    })
    assert.notEqual(index, -1, `No answer to iq '${id}'; received: ${this.#texts()}`)
    const [wire] = this.#received.splice(index, 1)
    return parseElement(wire as string, NS_CLIENT)
  }

  /** The next received stanzas must be these, in this order. */
  async receives(...expected: readonly string[]): Promise<void> {
    await this.#settle()
    for (const xml of expected) {
      const wire = this.#received.shift()
      assert.notEqual(wire, undefined, `Nothing more received; expected ${xml}`)
      this.#compare(wire as string, xml)
    }
  }

  /** The received stanzas must contain these in any order; they are taken out. */
  async receivesAnyOrder(...expected: readonly string[]): Promise<void> {
    await this.#settle()
    for (const xml of expected) {
      const index = this.#received.findIndex((wire) => matches(parseElement(wire, NS_CLIENT), parseText(xml.trim(), NS_CLIENT)))
      assert.notEqual(index, -1, `Not received: ${xml}\nreceived: ${this.#texts()}`)
      this.#received.splice(index, 1)
    }
  }

  /** Nothing (more) may have been received. */
  async receivesNothing(): Promise<void> {
    await this.#settle()
    assert.equal(this.#received.length, 0, `Received although nothing was expected: ${this.#texts()}`)
  }

  /** Takes the next received stanza. */
  async next(): Promise<XmlElement> {
    await this.#settle()
    const wire = this.#received.shift()
    assert.notEqual(wire, undefined, 'Nothing received')
    return parseElement(wire as string, NS_CLIENT)
  }

  /** Takes everything received so far. */
  async all(): Promise<XmlElement[]> {
    await this.#settle()
    return this.#received.splice(0).map((wire) => parseElement(wire, NS_CLIENT))
  }

  clear(): void {
    this.#received.length = 0
  }

  /** Called by the test host. */
  receive(wire: string): void {
    if (wire === ACK_REQUEST) this.ackRequests++
    else this.#received.push(wire)
  }

  /** As `receive`, for what an edge sends before everything that was delivered already. */
  receiveFirst(wire: string): void {
    this.#received.unshift(wire)
  }

  close(condition: string, detail = ''): void {
    this.closed = condition
    this.closeDetail = detail
  }

  #compare(wire: string, xml: string): void {
    const actual = parseElement(wire, NS_CLIENT)
    if (!matches(actual, parseText(xml.trim(), NS_CLIENT))) {
      assert.fail(`Received\n  ${fromWire(wire)}\ninstead of\n  ${xml.trim()}\nand then: ${this.#texts()}`)
    }
  }

  #texts(): string {
    return this.#received.length === 0 ? 'nothing' : this.#received.map((wire) => `\n  ${fromWire(wire)}`).join('')
  }
}

/** Whether an element is what the pattern says; see the head of this file. */
export function matches(actual: XmlElement, pattern: XmlElement): boolean {
  if (actual.name !== pattern.name || actual.ns !== pattern.ns) return false
  for (const [key, value] of pattern.attributes) {
    const found = actual.attribute(key)
    if (value === '{none}' ? found !== undefined : value === '{any}' ? found === undefined : found !== value) return false
  }
  for (const key of actual.attributes.keys()) if (!pattern.attributes.has(key)) return false
  const children = pattern.elements()
  const actualChildren = actual.elements()
  if (children.length !== actualChildren.length) return false
  const text = pattern.text().trim()
  if (text !== '{any}' && text !== actual.text().trim()) return false
  return children.every((child, i) => matches(actualChildren[i] as XmlElement, child))
}
