/**
 * SASL on the server's side (RFC 4422, RFC 6120 §6): what a mechanism is given, and what it answers.
 *
 * A mechanism does no I/O: it turns the messages of a client into steps and asks `SaslCredentials` for what only the
 * core knows. So the edge runs all mechanisms alike, tests run them without a socket, and no password rule lives in the
 * edge. Every question to the core may be answered slowly or not at all; a rejection becomes `temporary-auth-failure`,
 * never a success.
 */
import type { Jid } from '@rollcall/jid'

/** The hashes of SCRAM (RFC 5802, RFC 7677), weakest first. */
export const SCRAM_HASHES = ['SHA-1', 'SHA-256', 'SHA-512'] as const
export type ScramHash = (typeof SCRAM_HASHES)[number]

/** Bytes of one digest. */
export const SCRAM_HASH_BYTES: Readonly<Record<ScramHash, number>> = { 'SHA-1': 20, 'SHA-256': 32, 'SHA-512': 64 }

/** What is stored of a password for one hash (RFC 5802 §3): enough to check a proof, not enough to make one. */
export interface ScramVerifier {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** The answer about any account, existing or not: an unknown one has stable invented keys that no password fits. */
export interface ScramKeys extends ScramVerifier {
  readonly isKnown: boolean
  /** ms for which this account takes no attempts, as `lockoutMs` would answer: asked along, so that it costs no question. */
  readonly waitMs: number
}

/** Primitives; synchronous ones cost microseconds, `pbkdf2` costs milliseconds and runs off the event loop. */
export interface SaslCrypto {
  hash(hash: ScramHash, data: Uint8Array): Uint8Array
  hmac(hash: ScramHash, key: Uint8Array, data: Uint8Array): Uint8Array
  /** Cryptographically strong. */
  randomBytes(count: number): Uint8Array
  /** RFC 5802 §2.2 `Hi`: PBKDF2 with HMAC and as many bytes as the digest has. `password` is prepared text. */
  pbkdf2(hash: ScramHash, password: string, salt: Uint8Array, iterations: number): Promise<Uint8Array>
  /** Whether both are equal, in time that depends on nothing but their lengths. */
  timingSafeEqual(one: Uint8Array, other: Uint8Array): boolean
}

/** Why the core refuses a login although the client proved who it is. */
export type SaslRefusal = 'locked' | 'disabled' | 'expired' | 'unknown'

/** The core's verdict on a finished attempt: a proof becomes a login only when `refusal` is absent. */
export interface SaslVerdict {
  /** ms for which further attempts on the account are refused; 0 when none. */
  readonly waitMs: number
  readonly refusal?: SaslRefusal
}

/** What the mechanisms ask about accounts; the edge implements it over the bus, one message per method. */
export interface SaslCredentials {
  /** Asked before any secret is looked at: ms for which this account takes no attempts, 0 = go on. */
  lockoutMs(account: Jid): Promise<number>
  scramKeys(account: Jid, hash: ScramHash): Promise<ScramKeys>
  /** Takes the same time for accounts that exist and that do not. `password` is as the client sent it, unprepared. */
  verifyPassword(account: Jid, password: string): Promise<boolean>
  /**
   * Called once at the end of every attempt that tried a secret or a certificate. On success its verdict is final, and
   * it closes the race of many guesses at once: those that were under way when the account was locked are refused too.
   */
  report(account: Jid, isSuccess: boolean): Promise<SaslVerdict>
  /** Makes the temporary account of an ANONYMOUS login and returns its bare JID. */
  createAnonymous(host: string): Promise<Jid>
}

/** Which mechanisms the operator wants; which of them are offered depends on the connection too. */
export interface SaslPolicy {
  /** SCRAM hashes to offer, in any order. An account that lacks keys of one cannot log in with it. */
  readonly scramHashes: readonly ScramHash[]
  readonly isPlainEnabled: boolean
  /** Offers PLAIN on connections without TLS: for tests and for TLS that ends in front of the server. */
  readonly mayPlainBeInsecure: boolean
  readonly isExternalEnabled: boolean
  readonly isAnonymousEnabled: boolean
}

/** What a mechanism knows about the stream it runs on; fixed from the features sent until the stream restarts. */
export interface SaslContext {
  /** Prepared domainpart that the stream is for; every account is on it. */
  readonly host: string
  /** Whether TLS (or its equivalent) protects the connection. */
  readonly isSecure: boolean
  /**
   * Binding data this connection really has, by registered type: `tls-exporter` (RFC 9266), `tls-server-end-point`
   * (RFC 5929 §4), `tls-unique` (TLS ≤ 1.2 only). Empty when TLS ends elsewhere. The order is the order advertised.
   */
  readonly channelBindings: ReadonlyMap<string, Uint8Array>
  /** Every id-on-xmppAddr of the client's certificate as text; empty unless the certificate was verified. */
  readonly certificateIdentities: readonly string[]
  readonly policy: SaslPolicy
  readonly credentials: SaslCredentials
  readonly crypto: SaslCrypto
  /** Version of TLS as four lower-case hex digits (XEP-0515 §4.1), `0304` for 1.3; absent when TLS ends elsewhere. */
  readonly tlsVersion?: string
  /** What `offerOf` answered for a context like this one, from a caller that keeps it: it is worked out anew when absent. */
  readonly offer?: SaslOffer
}

/** What a context leads to that is the same for all connections like it: they may share one. */
export interface SaslOffer {
  /** As `mechanismsFor` lists them. */
  readonly mechanisms: readonly string[]
  /** As `channelBindingTypesFor` lists them. */
  readonly bindingTypes: readonly string[]
  /** Hashes of both lists (XEP-0474) in base64, by hash function; filled when first asked for. */
  readonly digests: Map<ScramHash, string>
}

/** How a client uses a token (XEP-0484 §3.4). */
export interface FastLogin {
  /** The id of `<user-agent/>`, to which tokens are bound. */
  readonly agentId: string
  /** Grows with every use, against replays; not every client sends it. */
  readonly count?: number
  /** The token is to die with this login. */
  readonly isInvalidating: boolean
}

/** A client's proof that it has a token, as the core checks it. */
export interface TokenProof extends FastLogin {
  readonly mechanism: string
  readonly bindingData: Uint8Array
  readonly proof: Uint8Array
}

/** `expired` is only told to who proved to have the token; `signature` proves that the server has it. */
export type TokenAnswer =
  | { readonly outcome: 'accepted'; readonly signature: Uint8Array }
  | { readonly outcome: 'refused' | 'expired' }

/** What is to be asked of the password for new keys of a hash. */
export interface UpgradeParameters {
  readonly salt: Uint8Array
  readonly iterations: number
}

/** What SASL2 asks beyond `SaslCredentials`. */
export interface TokenCredentials extends SaslCredentials {
  /** Uses up the proof: the same one, where it has a count, is not accepted again. */
  checkToken(account: Jid, proof: TokenProof): Promise<TokenAnswer>
  /** Undefined when the account needs no keys of that hash. */
  upgradeParameters(account: Jid, hash: ScramHash): Promise<UpgradeParameters | undefined>
  /** Does nothing when the account has such keys meanwhile. */
  addKeys(account: Jid, hash: ScramHash, verifier: ScramVerifier): Promise<void>
}

/** A context in which tokens are of use. */
export interface TokenContext extends SaslContext {
  readonly credentials: TokenCredentials
}

/** Every defined condition of RFC 6120 §6.5. */
export type SaslCondition =
  | 'aborted' | 'account-disabled' | 'credentials-expired' | 'encryption-required' | 'incorrect-encoding'
  | 'invalid-authzid' | 'invalid-mechanism' | 'malformed-request' | 'mechanism-too-weak' | 'not-authorized'
  | 'temporary-auth-failure'

/** Something for the client to answer. */
export interface SaslChallenge {
  readonly kind: 'challenge'
  /** Empty for "your turn" (RFC 4422 §3: a client-first mechanism without initial response). */
  readonly data: Uint8Array
}
/** The client is `account`, a bare JID. */
export interface SaslSuccess {
  readonly kind: 'success'
  /** Additional data for `<success/>` (SCRAM's server signature). */
  readonly data?: Uint8Array
  readonly account: Jid
  readonly isAnonymous: boolean
}
/** The attempt is over; the client may start another. */
export interface SaslFailed {
  readonly kind: 'failure'
  readonly condition: SaslCondition
  /** For people; never tells whether an account exists. */
  readonly text?: string
  /** What a question to the core was rejected with: to be logged, not to be sent. */
  readonly cause?: unknown
}
export type SaslStep = SaslChallenge | SaslSuccess | SaslFailed

/** One attempt with one mechanism. */
export interface SaslExchange {
  /**
   * The next message of the client: first the initial response, undefined when there was none (`<auth/>` without
   * text; `=` is an empty one, RFC 6120 §6.4.2), then each response. Never rejects. Calling it while a step is under way, or after
   * the end, is a `malformed-request` that ends the attempt.
   */
  step(data: Uint8Array | undefined): Promise<SaslStep>
  /** `<abort/>`, or a lost connection: ends the attempt; a step under way answers `aborted` too. */
  abort(): SaslFailed
}

/** How a mechanism refuses from within; becomes a `SaslFailed`. */
export class SaslError extends Error {
  readonly condition: SaslCondition
  readonly text: string | undefined

  constructor(condition: SaslCondition, text?: string) {
    super(text ?? condition)
    this.name = 'SaslError'
    this.condition = condition
    this.text = text
  }
}
