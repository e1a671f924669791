/**
 * The clients of an account, as SASL2 knows them (XEP-0388 §2.3), and their tokens (XEP-0484).
 *
 * How it works: a client is an installation that named itself with an id of its own. It has two tokens at most (§5.1):
 * `next` was given to it and not used yet, `current` it has used. Using `next` makes it `current`, so that a token which
 * never reached its client costs nothing, and an older one dies as soon as its successor is used.
 *
 * Why this shape: to check a proof the token itself is needed, so a hash of it cannot be what is stored. Instead nothing
 * of it is: a token derives from its random id and the host's secret, and only the id is stored. Rows of accounts alone
 * (an export, a copy of one table) therefore let nobody in. Tokens carry the account's password version, so that another
 * password ends all of them, whatever else fails.
 */
import type { Jid } from '@rollcall/jid'
import type { Clock, CounterMetric, Log, MapStore, Metrics, StorageBackend } from '@rollcall/ports'
import { mapStore, openStore } from '@rollcall/ports'
import { encodeBase64, initiatorText, responderText } from '@rollcall/stream'
import type { SaslCrypto, TokenAnswer, TokenProof } from '@rollcall/stream'
import type { FinishLogin, LoginFinished } from '../../protocol/login-messages.ts'
import { AccountLocks } from './account-locks.ts'
import type { ClientsConfig } from './config.ts'
import type { HostSecrets } from './host-secrets.ts'

/** A token but for its text. Times are in ms since the Unix epoch. */
export interface StoredToken {
  /** Random; the text derives from it. */
  readonly id: string
  readonly mechanism: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly passwordVersion: number
  /** The highest count seen (XEP-0484 §3.4). */
  readonly count: number
}

/** What is stored of a client. Times are in ms since the Unix epoch. */
export interface ClientRecord {
  readonly firstSeenAt: number
  readonly lastSeenAt: number
  readonly software?: string
  readonly device?: string
  /** The version of the password that it last logged in with. */
  readonly passwordVersion?: number
  readonly current?: StoredToken
  readonly next?: StoredToken
}

/** Owner: the account. Key: the client's id. */
export const clientStore = mapStore<ClientRecord>('auth_client')

/** A client for lists. Times are in ms since the Unix epoch. */
export interface KnownClient {
  readonly id: string
  readonly firstSeenAt: number
  readonly lastSeenAt: number
  readonly software: string | undefined
  readonly device: string | undefined
  /** It logged in with what still is the password. */
  readonly knowsPassword: boolean
  readonly hasToken: boolean
}

export interface LoginClientsPorts {
  readonly storage: StorageBackend
  readonly crypto: SaslCrypto
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly config: ClientsConfig
  readonly secrets: HostSecrets
  /** Grows with every change of the account's password. */
  readonly passwordVersion: (account: Jid) => Promise<number>
}

const CLIENT_ID_BYTES = 12
const TOKEN_ID_BYTES = 18
/** 264 bits, a multiple of 3 bytes so that the text needs no padding. */
const TOKEN_BYTES = 33

const utf8 = new TextEncoder()

export class LoginClients {
  readonly #ports: LoginClientsPorts
  readonly #store: MapStore<ClientRecord>
  readonly #locks = new AccountLocks()
  readonly #counters: Readonly<Record<'issued' | 'accepted' | 'refused' | 'expired', CounterMetric>>

  constructor(ports: LoginClientsPorts) {
    this.#ports = ports
    this.#store = openStore(ports.storage, clientStore)
    const counter = (event: string) => ports.metrics.counter('rollcall_auth_tokens_total', 'What happened to login tokens.', { event })
    this.#counters = { issued: counter('issued'), accepted: counter('accepted'), refused: counter('refused'), expired: counter('expired') }
  }

  /** Checks a proof and, when it is right, uses it up: durably before the answer, so that no crash lets it be replayed. */
  async checkToken(account: Jid, proof: TokenProof): Promise<TokenAnswer> {
    const owner = account.bare.toString()
    const answer = await this.#locks.run(owner, () => this.#check(account.bare, owner, proof))
    this.#counters[answer.outcome].add(1)
    return answer
  }

  /** Remembers a client that has logged in, and gives it a token when one is due. */
  async finish(login: FinishLogin): Promise<LoginFinished> {
    const { agent, method } = login
    if (agent === undefined || method === 'anonymous') return {}
    const account = login.account.bare
    const id = await this.#clientId(account, agent.id)
    return this.#locks.run(account.toString(), () => this.#remember(account, id, login))
  }

  /** Everybody who is known, most recently seen first. */
  async list(account: Jid): Promise<KnownClient[]> {
    const [records, version] = await Promise.all([this.#store.all(account.bare.toString()), this.#ports.passwordVersion(account)])
    return [...records]
      .filter(([, record]) => this.#isKept(record))
      .map(([id, record]) => ({
        id,
        firstSeenAt: record.firstSeenAt,
        lastSeenAt: record.lastSeenAt,
        software: record.software,
        device: record.device,
        knowsPassword: record.passwordVersion === version,
        hasToken: [record.current, record.next].some((token) => this.#isLive(token) && token?.passwordVersion === version),
      }))
      .sort((one, other) => other.lastSeenAt - one.lastSeenAt)
  }

  /** Takes the tokens of a client, and forgets it unless it knows the password and so still has access. */
  async revoke(account: Jid, id: string): Promise<'revoked' | 'knows-password' | 'unknown'> {
    const owner = account.bare.toString()
    return this.#locks.run(owner, async () => {
      const [record, version] = await Promise.all([this.#store.get(owner, id), this.#ports.passwordVersion(account)])
      if (record === undefined) return 'unknown'
      const { current: _current, next: _next, ...rest } = record
      if (record.passwordVersion === version) {
        await this.#store.set(owner, id, rest)
        return 'knows-password'
      }
      await this.#store.delete(owner, id)
      return 'revoked'
    })
  }

  async #check(account: Jid, owner: string, proof: TokenProof): Promise<TokenAnswer> {
    const id = await this.#clientId(account, proof.agentId)
    const [record, version] = await Promise.all([this.#store.get(owner, id), this.#ports.passwordVersion(account)])
    // Both are always done, so that the time taken does not tell which tokens there are.
    const isNext = await this.#isProof(account, id, record?.next, proof)
    const isCurrent = await this.#isProof(account, id, record?.current, proof)
    const token = isNext ? record?.next : isCurrent ? record?.current : undefined
    if (record === undefined || token === undefined) return { outcome: 'refused' }
    // §3.4: bound to its mechanism, and no count twice.
    if (token.mechanism !== proof.mechanism || token.passwordVersion !== version) return { outcome: 'refused' }
    if (proof.count !== undefined && proof.count <= token.count) return { outcome: 'refused' }
    if (!this.#isLive(token)) return { outcome: 'expired' }
    const used = { ...token, count: proof.count ?? token.count }
    const { current: _current, next, ...rest } = record
    const kept = isNext || next === undefined ? { ...rest, current: used } : { ...rest, current: used, next }
    if (proof.isInvalidating) await this.#store.set(owner, id, rest)
    else if (isNext || used.count !== token.count) await this.#store.set(owner, id, kept)
    const key = utf8.encode(await this.#textOf(account, id, token.id))
    return { outcome: 'accepted', signature: this.#ports.crypto.hmac('SHA-256', key, responderText(proof.bindingData)) }
  }

  /** Whether the proof was made with this token; the same work when there is none. */
  async #isProof(account: Jid, id: string, token: StoredToken | undefined, { bindingData, proof }: TokenProof): Promise<boolean> {
    const { crypto } = this.#ports
    const key = utf8.encode(await this.#textOf(account, id, token?.id ?? ''))
    const isEqual = crypto.timingSafeEqual(crypto.hmac('SHA-256', key, initiatorText(bindingData)), proof)
    return token !== undefined && isEqual
  }

  async #remember(account: Jid, id: string, { method, agent, tokenMechanism }: FinishLogin): Promise<LoginFinished> {
    const { config, clock, passwordVersion } = this.#ports
    const owner = account.toString()
    const [records, version] = await Promise.all([this.#store.all(owner), passwordVersion(account)])
    const now = clock.now()
    const known = records.get(id)
    const record: ClientRecord = {
      ...known,
      firstSeenAt: known?.firstSeenAt ?? now,
      lastSeenAt: now,
      ...(config.areNamesKept && described(agent?.software, agent?.device, config.nameUnitsMax)),
      ...(method === 'password' && { passwordVersion: version }),
    }
    // A token that has served for a while is replaced before it can expire unseen (§3.5).
    const due = method === 'token' && record.current !== undefined && now - record.current.issuedAt >= config.tokenRotationMs
      ? record.current.mechanism : undefined
    const mechanism = tokenMechanism ?? due
    const next = mechanism === undefined ? undefined : this.#newToken(mechanism, version, now)
    await this.#store.set(owner, id, next === undefined ? record : { ...record, next })
    await this.#prune(owner, records, id)
    if (next === undefined) return { clientId: id }
    this.#counters.issued.add(1)
    return { clientId: id, token: { text: await this.#textOf(account, id, next.id), expiresAt: next.expiresAt } }
  }

  #newToken(mechanism: string, passwordVersion: number, now: number): StoredToken {
    const { config, crypto } = this.#ports
    return {
      id: encodeBase64(crypto.randomBytes(TOKEN_ID_BYTES)), mechanism, issuedAt: now,
      expiresAt: now + config.tokenLifetimeMs, passwordVersion, count: 0,
    }
  }

  /** Forgets who was not seen for long, and whoever was seen longest ago when there are too many. */
  async #prune(owner: string, records: ReadonlyMap<string, ClientRecord>, present: string): Promise<void> {
    const others = [...records].filter(([id]) => id !== present).sort(([, one], [, other]) => other.lastSeenAt - one.lastSeenAt)
    const gone = others.filter(([, record], at) => at >= this.#ports.config.clientsMax - 1 || !this.#isKept(record))
    for (const [id] of gone) await this.#store.delete(owner, id)
    if (gone.length > 0) this.#ports.log.info('auth-clients-forgotten', { account: owner, count: gone.length })
  }

  #isLive(token: StoredToken | undefined): boolean {
    return token !== undefined && token.expiresAt > this.#ports.clock.now()
  }

  #isKept(record: ClientRecord): boolean {
    if (this.#isLive(record.current) || this.#isLive(record.next)) return true
    return this.#ports.clock.now() - record.lastSeenAt < this.#ports.config.keptMs
  }

  async #clientId(account: Jid, agentId: string): Promise<string> {
    const bytes = await this.#ports.secrets.derive(account.domainpart, 'client', account.toString(), agentId)
    return urlSafe(encodeBase64(bytes.slice(0, CLIENT_ID_BYTES)))
  }

  async #textOf(account: Jid, id: string, tokenId: string): Promise<string> {
    const bytes = await this.#ports.secrets.derive(account.domainpart, 'token', account.toString(), id, tokenId)
    return urlSafe(encodeBase64(bytes.slice(0, TOKEN_BYTES)))
  }
}

function described(software: string | undefined, device: string | undefined, unitsMax: number): Partial<ClientRecord> {
  return {
    ...(software !== undefined && software !== '' && { software: cut(software, unitsMax) }),
    ...(device !== undefined && device !== '' && { device: cut(device, unitsMax) }),
  }
}

/** At most that many UTF-16 units, no character halved. */
function cut(text: string, unitsMax: number): string {
  return text.length <= unitsMax ? text : text.slice(0, unitsMax).replace(/[\ud800-\udbff]$/, '')
}

const urlSafe = (base64: string): string => base64.replaceAll('+', '-').replaceAll('/', '_')
