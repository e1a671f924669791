/** The answer to a refused stanza (RFC 6120 §8.3.1): same kind and id, addresses swapped, an `<error/>` child. */
import { escapeAttribute, escapeText, serialize } from '@rollcall/xml'
import { NS_CLIENT, Stanza } from './stanza.ts'
import type { StanzaError } from './stanza-error.ts'

export const NS_STANZA_ERRORS = 'urn:ietf:params:xml:ns:xmpp-stanzas'

/**
 * Builds the error, or undefined where RFC 6120 §8.3.1 forbids one: errors and iq results are never answered.
 * The offending payload is not repeated: it may be large, and clients match by id.
 */
export function errorReply(stanza: Stanza, error: StanzaError): Stanza | undefined {
  if (stanza.type === 'error' || (stanza.kind === 'iq' && stanza.type === 'result')) return undefined
  const id = stanza.id === '' ? '' : ` id='${escapeAttribute(stanza.id)}'`
  const content = errorElement(error)
  const child = { name: 'error', ns: NS_CLIENT, start: 0, end: content.length }
  const reply = new Stanza(stanza.kind, stanza.to, stanza.from, 'error', stanza.id, ` type='error'${id}`, content, [child])
  reply.trace = stanza.trace
  return reply
}

/** Serialises the `<error/>` element itself. */
export function errorElement(error: StanzaError): string {
  const address = error.address === undefined ? '' : escapeText(error.address)
  let content = `<${error.condition} xmlns='${NS_STANZA_ERRORS}'`
  content += address === '' ? '/>' : `>${address}</${error.condition}>`
  if (error.text !== undefined) content += `<text xmlns='${NS_STANZA_ERRORS}' xml:lang='en'>${escapeText(error.text)}</text>`
  if (error.application !== undefined) content += serialize(error.application, NS_CLIENT)
  return `<error type='${error.type}'>${content}</error>`
}
