/** The capabilities that a presence or a stream feature carries: which hash, and the node to ask about. */
import { Caps, Caps2, CodecError } from '@rollcall/protocol'
import { hashNames } from '@rollcall/ports'
import type { HashName } from '@rollcall/ports'
import type { Stanza } from '@rollcall/stanza'

/** XEP-0390 §4.3. */
export const CAPS_2_NODE = 'urn:xmpp:caps#'

/** Base64 of a hash, as text. */
function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

/** What one presence says. Two presences with the same `key` come from clients with the same features, once verified. */
export interface Advertised {
  readonly key: string
  /** The node of the question (XEP-0115 §6.2); undefined to ask about the client itself. */
  readonly node: string | undefined
  /** How to verify the answer; undefined where nothing can be verified. */
  readonly check: { readonly format: 'caps' | 'caps2'; readonly hash: HashName; readonly value: string } | undefined
}

export { base64 }

/** Reads the capabilities of a presence; the newer format first. Unreadable ones count as none. */
export function advertisedIn(presence: Stanza): Advertised {
  return caps2In(presence) ?? capsIn(presence) ?? { key: '', node: undefined, check: undefined }
}

/** Later functions of the list are stronger; none of them is broken for this use. */
function caps2In(presence: Stanza): Advertised | undefined {
  const caps = readable(() => presence.decode(Caps2))
  for (const name of hashNames.toReversed()) {
    const found = caps?.hashes.find((hash) => hash.algo === name)
    if (found === undefined) continue
    const value = base64(found.hash)
    const node = `${CAPS_2_NODE}${name}.${value}`
    return { key: node, node, check: { format: 'caps2', hash: name, value } }
  }
  return undefined
}

function capsIn(presence: Stanza): Advertised | undefined {
  const caps = readable(() => presence.decode(Caps))
  if (caps === undefined) return undefined
  const node = `${caps.node}#${caps.ver}`
  const hash = hashNames.find((name) => name === caps.hash)
  // The same hash says the same whatever software shows it; without one, node and version are all there is.
  if (hash !== undefined) return { key: `${hash}.${caps.ver}`, node, check: { format: 'caps', hash, value: caps.ver } }
  return { key: `legacy.${caps.hash ?? ''}.${node}`, node, check: undefined }
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}
