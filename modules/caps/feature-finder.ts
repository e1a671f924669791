/** Finds out what a client supports: from the cache, or by asking it once and checking its answer against its hash. */
import type { IqClient, Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Hasher, Log } from '@rollcall/ports'
import { CodecError, DiscoInfo, NS_DATA_FORM, NS_DISCO_INFO } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { advertisedIn, base64 } from './advertised.ts'
import type { Advertised } from './advertised.ts'
import type { FeatureCache } from './feature-cache.ts'
import { caps2Input, capsInput } from './hash-input.ts'
import type { Caps, FeatureSet } from './port.ts'

export interface FinderLimits {
  readonly queryTimeoutMs: number
  /** Questions under way. */
  readonly queriesMax: number
  /** Features of one client; what comes after them is not seen. */
  readonly featuresMax: number
}

type Found = FeatureSet | undefined | Promise<FeatureSet | undefined>

const noFeatures: FeatureSet = new Set()

export class FeatureFinder implements Caps {
  readonly #cache: FeatureCache
  readonly #iq: IqClient
  readonly #hasher: Hasher
  readonly #log: Log
  readonly #limits: FinderLimits
  /** Questions under way by client and capabilities. */
  readonly #asking = new Map<string, Promise<FeatureSet | undefined>>()

  constructor(cache: FeatureCache, ports: { readonly iq: IqClient; readonly hasher: Hasher; readonly log: Log }, limits: FinderLimits) {
    this.#cache = cache
    this.#iq = ports.iq
    this.#hasher = ports.hasher
    this.#log = ports.log
    this.#limits = limits
  }

  featuresOf(session: Session): Found {
    if (session.presence === undefined) return undefined
    return this.#find(session.jid, advertisedIn(session.presence), session.jid.domain)
  }

  featuresIn(presence: Stanza, asker: Jid): Found {
    if (presence.from === undefined || presence.type !== '') return undefined
    return this.#find(presence.from, advertisedIn(presence), asker)
  }

  #find(client: Jid, advertised: Advertised, asker: Jid): Found {
    const known = this.#cache.find(client.toString(), advertised.key)
    if (known !== undefined) return known
    const question = `${advertised.key} ${client.toString()}`
    const asked = this.#asking.get(question)
    if (asked !== undefined) return asked
    if (this.#asking.size >= this.#limits.queriesMax) return undefined
    const answer = this.#ask(client, advertised, asker).finally(() => this.#asking.delete(question))
    this.#asking.set(question, answer)
    return answer
  }

  async #ask(client: Jid, advertised: Advertised, asker: Jid): Promise<FeatureSet | undefined> {
    const { key, node } = advertised
    try {
      const payload = DiscoInfo.encode(node === undefined ? {} : { node })
      const reply = await this.#iq.request(asker, client, 'get', payload, this.#limits.queryTimeoutMs)
      const info = reply.decode(DiscoInfo)
      if (info === undefined) return this.#unverified(client, key, noFeatures)
      const features = new Set(info.features.slice(0, this.#limits.featuresMax).map((feature) => feature.var))
      if (!this.#isVerified(reply, info, advertised)) return this.#unverified(client, key, features)
      this.#cache.addVerified(key, features)
      return features
    } catch (error) {
      // No answer is no knowledge: the next event may find the client awake.
      if (error instanceof StanzaError && error.condition === 'remote-server-timeout') return undefined
      if (error instanceof StanzaError || error instanceof CodecError) return this.#unverified(client, key, noFeatures)
      this.#log.error('caps-query-failed', { client: client.toString(), error })
      return undefined
    }
  }

  #unverified(client: Jid, key: string, features: FeatureSet): FeatureSet {
    this.#cache.addUnverified(client.toString(), key, features)
    return features
  }

  #isVerified(reply: Stanza, info: DiscoInfo, { check }: Advertised): boolean {
    if (check === undefined || info.features.length > this.#limits.featuresMax) return false
    if (check.format === 'caps') return this.#matches(capsInput(info), check)
    if (hasForeignChildren(reply)) return false
    // XEP-0390 §4.1: the language around counts, but whether it was around on the other side nobody can know.
    const langs = new Set(['', languageAround(reply)])
    return [...langs].some((lang) => this.#matches(caps2Input(info, lang), check))
  }

  #matches(input: Uint8Array | undefined, check: NonNullable<Advertised['check']>): boolean {
    return input !== undefined && base64(this.#hasher.hash(check.hash, input)) === check.value
  }
}

/** XEP-0390 §4.1: anything but identities, features and forms makes the hash impossible. */
function hasForeignChildren(reply: Stanza): boolean {
  const query = reply.find('query', NS_DISCO_INFO)
  if (query === undefined) return true
  return reply.element(query).elements().some(({ name, ns }) =>
    !(ns === NS_DISCO_INFO && (name === 'identity' || name === 'feature')) && !(ns === NS_DATA_FORM && name === 'x'))
}

/** The `xml:lang` in force inside the answer. */
function languageAround(reply: Stanza): string {
  const query = reply.find('query', NS_DISCO_INFO)
  const own = query === undefined ? undefined : reply.element(query).attribute('xml:lang')
  return own ?? /\sxml:lang=(?:'([^']*)'|"([^"]*)")/.exec(reply.attrs)?.slice(1).find((lang) => lang !== undefined) ?? ''
}
