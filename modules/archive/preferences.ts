/** Which contacts' messages an account wants in its archive (XEP-0441). */
import type { Jid } from '@rollcall/jid'
import { tryParseJid } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'
import type { MamDefault, MamPrefs } from '@rollcall/protocol'

/** As stored: addresses as prepared texts. */
export type StoredPreferences = {
  readonly default: MamDefault
  readonly always: readonly string[]
  readonly never: readonly string[]
}

/** Addresses on both lists together. */
const ADDRESSES_MAX = 1000

export class Preferences {
  readonly stored: StoredPreferences
  readonly #always: ReadonlySet<string>
  readonly #never: ReadonlySet<string>

  constructor(stored: StoredPreferences) {
    this.stored = stored
    this.#always = new Set(stored.always)
    this.#never = new Set(stored.never)
  }

  /** Whether messages exchanged with the contact are archived. An address with resource counts more than one without. */
  wants(contact: Jid, isInRoster: (contact: Jid) => boolean): boolean {
    if (this.#always.size > 0 || this.#never.size > 0) {
      for (const text of contact.isFull ? [contact.toString(), contact.bare.toString()] : [contact.toString()]) {
        if (this.#never.has(text)) return false
        if (this.#always.has(text)) return true
      }
    }
    if (this.stored.default !== 'roster') return this.stored.default === 'always'
    return isInRoster(contact.bare)
  }
}

/** What a client wishes, with what it left out taken as empty. Throws `StanzaError`. */
export function readPreferences(prefs: MamPrefs): StoredPreferences {
  const always = addresses(prefs.always?.jids ?? [])
  const never = addresses(prefs.never?.jids ?? [])
  if (prefs.default === undefined) throw new StanzaError('bad-request', 'The attribute default is missing')
  if (always.length + never.length > ADDRESSES_MAX) throw new StanzaError('not-acceptable', `More than ${ADDRESSES_MAX} addresses`)
  return { default: prefs.default, always, never }
}

function addresses(texts: readonly string[]): string[] {
  return [...new Set(texts.map((text) => {
    const jid = tryParseJid(text.trim())
    if (jid === undefined) throw new StanzaError('jid-malformed', `${text} is not an address`)
    return jid.toString()
  }))]
}
