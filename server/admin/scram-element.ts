/** SCRAM keys as XEP-0227 §4.3 carries them. Passwords in clear are never written: the server does not know them. */
import { SCRAM_HASHES } from '@rollcall/stream'
import { XmlElement } from '@rollcall/xml'
import type { AccountRecord, StoredScram } from '../core/auth/index.ts'

export const NS_PIE_SCRAM = 'urn:xmpp:pie:0#scram'

/** An element per hash that the account has keys of. */
export function scramElements({ scram }: AccountRecord): XmlElement[] {
  return SCRAM_HASHES.flatMap((hash) => {
    const keys = scram[hash]
    if (keys === undefined) return []
    const child = (name: string, content: string) => new XmlElement(name, NS_PIE_SCRAM, {}, [content])
    return [new XmlElement('scram-credentials', NS_PIE_SCRAM, { mechanism: `SCRAM-${hash}` }, [
      child('iter-count', String(keys.iterations)), child('salt', keys.salt),
      child('server-key', keys.serverKey), child('stored-key', keys.storedKey),
    ])]
  })
}

/** Keys from such elements; whether they are sound is for the record's own check. Unknown mechanisms are reported. */
export function scramFrom(elements: readonly XmlElement[], problems: string[]): StoredScram {
  const entries = elements.flatMap((element) => {
    const mechanism = element.attribute('mechanism') ?? ''
    const hash = SCRAM_HASHES.find((candidate) => mechanism === `SCRAM-${candidate}`)
    if (hash === undefined) {
      problems.push(`keys of '${mechanism}': not supported`)
      return []
    }
    const content = (name: string) => (element.childText(name) ?? '').trim()
    const keys = {
      salt: content('salt'), iterations: Number(content('iter-count')), storedKey: content('stored-key'), serverKey: content('server-key'),
    }
    return [[hash, keys] as const]
  })
  const scram: StoredScram = Object.fromEntries(entries)
  return scram
}
