/**
 * The address type of the whole system, and its caches.
 *
 * Millions of addresses are held at once, so a Jid is seven words: the three parts and four lazy fields (text,
 * wire form, bare JID, hash). Bare JIDs are interned while they are in use often enough to stay in the bare cache, so
 * sessions, rosters and routes of one account normally share one object and its strings; equality must still be
 * asked with `equals`, because the cache is bounded. V8 keeps the parent of a substring alive, hence every string
 * that outlives the call is built flat.
 */
import { GenerationCache } from './generation-cache.ts'
import type { CacheStats } from './generation-cache.ts'
import { JidError } from './jid-error.ts'
import { PART_UNITS_MAX, prepareDomainpart, prepareLocalpart, prepareResourcepart } from './prepare.ts'
import { decodeWire, encodeWire } from './wire.ts'

/** Longest text looked at, in UTF-16 units: three raw parts and two separators. */
export const JID_UNITS_MAX = 3 * PART_UNITS_MAX + 2
// The longest escape of one byte is `&#x0000XX;`; ordinary ones are six characters.
const WIRE_UNITS_MAX = 6 * JID_UNITS_MAX
/** Longer addresses are parsed every time, so that a full cache costs at most size × this in key characters. */
const CACHED_UNITS_MAX = 256
const CACHE_SIZE_MAX = 131_072

const wireCache = new GenerationCache<Jid>(CACHE_SIZE_MAX)
const bareCache = new GenerationCache<Jid>(CACHE_SIZE_MAX)

let create: (localpart: string, domainpart: string, resourcepart: string, bare?: Jid, text?: string) => Jid

/** An immutable, prepared XMPP address (RFC 7622); compare with `equals()` or by `toString()`, never with `===`. */
export class Jid {
  /** Prepared localpart, '' when absent. */
  readonly localpart: string
  /** Prepared domainpart, never empty. */
  readonly domainpart: string
  /** Prepared resourcepart, '' when absent. */
  readonly resourcepart: string
  #bare: Jid | undefined
  #text: string | undefined
  #wire: string | undefined
  /** -1 until asked for; a small integer, which V8 keeps without a box. */
  #hash: number

  private constructor(localpart: string, domainpart: string, resourcepart: string, bare?: Jid, text?: string) {
    this.localpart = localpart
    this.domainpart = domainpart
    this.resourcepart = resourcepart
    this.#bare = bare
    this.#text = text
    this.#wire = undefined
    this.#hash = -1
  }

  static {
    create = (localpart, domainpart, resourcepart, bare, text) =>
      new Jid(localpart, domainpart, resourcepart, bare, text)
  }

  /** The address without resourcepart; this very object when it has none. */
  get bare(): Jid {
    return this.#bare ?? this
  }

  /** The address of the domain alone; this very object when it is one. */
  get domain(): Jid {
    return this.isDomain ? this : internDomain(this.domainpart)
  }

  /** Whether there is no resourcepart. */
  get isBare(): boolean {
    return this.resourcepart === ''
  }

  /** Whether there is a resourcepart. */
  get isFull(): boolean {
    return this.resourcepart !== ''
  }

  /** Whether there is neither localpart nor resourcepart. */
  get isDomain(): boolean {
    return this.localpart === '' && this.resourcepart === ''
  }

  /** The prepared text, UTF-16. */
  toString(): string {
    return this.#text ??= [this.bare.toString(), this.resourcepart].join('/')
  }

  /** The prepared text as an attribute-safe wire string: UTF-8 bytes as latin1, `& < > ' "` escaped. */
  get wire(): string {
    return this.#wire ??= encodeWire(this.toString())
  }

  /** 31 bits of the FNV-1a hash of the bare JID's UTF-16 units: stable for ever, the same for all resources. */
  get bareHash(): number {
    const { bare } = this
    return bare.#hash === -1 ? bare.#hash = hashOf(bare.toString()) : bare.#hash
  }

  /** The full JID of this account or domain with another resourcepart; throws JidError. */
  withResource(resourcepart: string): Jid {
    return createFull(this.bare, prepareResourcepart(resourcepart))
  }

  /** Whether both are the same address, resourcepart included (RFC 7622 §3.1: compared once prepared). */
  equals(other: Jid): boolean {
    return this === other || (this.resourcepart === other.resourcepart && this.bareEquals(other))
  }

  /** Whether both are the same address, resourceparts ignored. */
  bareEquals(other: Jid): boolean {
    return this.bare === other.bare
      || (this.localpart === other.localpart && this.domainpart === other.domainpart)
  }
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash & 0x7fff_ffff
}

/** A copy with no parent: joining two pieces writes a new sequential string in V8 (a `slice` would not). */
function flatCopy(text: string): string {
  return [text.slice(0, 1), text.slice(1)].join('')
}

function internBare(localpart: string, domainpart: string): Jid {
  if (localpart === '') return internDomain(domainpart)
  const text = [localpart, domainpart].join('@')
  const known = bareCache.get(text)
  if (known !== undefined) return known
  // All accounts of a domain share the domain's own string.
  const jid = create(flatCopy(localpart), internDomain(domainpart).domainpart, '', undefined, text)
  if (text.length <= CACHED_UNITS_MAX) bareCache.set(text, jid)
  return jid
}

function internDomain(domainpart: string): Jid {
  const known = bareCache.get(domainpart)
  if (known !== undefined) return known
  const text = flatCopy(domainpart)
  const jid = create('', text, '', undefined, text)
  if (text.length <= CACHED_UNITS_MAX) bareCache.set(text, jid)
  return jid
}

function createFull(bare: Jid, resourcepart: string): Jid {
  return create(bare.localpart, bare.domainpart, flatCopy(resourcepart), bare)
}

/** Prepares three parts and joins them, '' or undefined meaning an absent localpart or resourcepart; throws JidError. */
export function jidOf(localpart: string, domainpart: string, resourcepart?: string): Jid {
  const preparedLocalpart = localpart === '' ? '' : prepareLocalpart(localpart)
  const bare = internBare(preparedLocalpart, prepareDomainpart(domainpart))
  return resourcepart === undefined || resourcepart === '' ? bare : createFull(bare, prepareResourcepart(resourcepart))
}

/** Parses and prepares an address given as text (RFC 7622 §3); throws JidError. */
export function parseJid(text: string): Jid {
  if (text.length > JID_UNITS_MAX) throw new JidError('jid', 'too-long')
  // RFC 7622 §3.1: split before any mapping, at the first slash and then at the first at-sign before it.
  const slash = text.indexOf('/')
  const bareText = slash === -1 ? text : text.slice(0, slash)
  const at = bareText.indexOf('@')
  const localpart = at === -1 ? '' : prepareLocalpart(bareText.slice(0, at))
  const bare = internBare(localpart, prepareDomainpart(bareText.slice(at + 1)))
  return slash === -1 ? bare : createFull(bare, prepareResourcepart(text.slice(slash + 1)))
}

/** Like {@link parseJid}, but undefined instead of JidError. */
export function tryParseJid(text: string): Jid | undefined {
  try {
    return parseJid(text)
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}

/**
 * Parses the raw attribute value of a stanza, a wire string, through a bounded cache; throws JidError.
 * The same address may be several objects over time; addresses that are refused are not remembered.
 */
export function parseJidWire(wire: string): Jid {
  return wireCache.get(wire) ?? parseUncachedWire(wire)
}

function parseUncachedWire(wire: string): Jid {
  if (wire.length > WIRE_UNITS_MAX) throw new JidError('jid', 'too-long')
  const text = decodeWire(wire)
  if (text === undefined) throw new JidError('jid', 'malformed')
  const jid = parseJid(text)
  if (wire.length <= CACHED_UNITS_MAX) {
    const prepared = jid.toString()
    // A prepared wire string, the usual case, needs no second copy as key.
    wireCache.set(prepared === wire ? prepared : flatCopy(wire), jid)
  }
  return jid
}

/** The two caches behind {@link parseJidWire} and {@link Jid.bare}: their limit, counters and reset. */
export const jidCache = {
  /** Entries each cache may hold; default 131072. Setting it takes effect at once. */
  get sizeMax(): number {
    return wireCache.sizeMax
  },
  set sizeMax(sizeMax: number) {
    wireCache.sizeMax = sizeMax
    bareCache.sizeMax = sizeMax
  },
  /** Counters since start: `wire` by raw attribute value, `bare` by prepared bare JID. */
  get stats(): { readonly wire: CacheStats, readonly bare: CacheStats } {
    return { wire: wireCache.stats, bare: bareCache.stats }
  },
  /** Forgets all entries; Jid objects in use stay valid. */
  clear(): void {
    wireCache.clear()
    bareCache.clear()
  },
}
