/** The core as the mechanisms see it, in memory: accounts with passwords, and every call recorded. */
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { initiatorText, responderText } from '../sasl/hashed-token.ts'
import type {
  SaslPolicy, SaslVerdict, ScramHash, ScramKeys, ScramVerifier, TokenAnswer, TokenContext, TokenCredentials, TokenProof, UpgradeParameters,
} from '../sasl/sasl.ts'
import { SCRAM_HASHES } from '../sasl/sasl.ts'
import { saslprep } from '../sasl/saslprep.ts'
import { deriveScramVerifier } from '../sasl/scram-keys.ts'
import { testCrypto } from './scram-client.ts'

export const HOST = 'capulet.example'
/** A client installation of Juliet's. */
export const AGENT = '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11'
export const JULIET = jidOf('juliet', HOST)

export class FakeCredentials implements TokenCredentials {
  readonly #passwords: ReadonlyMap<string, string>
  /** `juliet success`, `juliet failure`, in order. */
  readonly reports: string[] = []
  waitMs = 0
  verdict: SaslVerdict = { waitMs: 0 }

  /** Passwords by localpart. */
  constructor(passwords: Readonly<Record<string, string>> = { juliet: 'R0m30' }) {
    this.#passwords = new Map(Object.entries(passwords))
  }

  async lockoutMs(): Promise<number> {
    return this.waitMs
  }

  async scramKeys(account: Jid, hash: 'SHA-1' | 'SHA-256' | 'SHA-512'): Promise<ScramKeys> {
    const salt = new TextEncoder().encode(`salt of ${account.localpart}`)
    const password = this.#passwords.get(account.localpart)
    const verifier = await deriveScramVerifier(testCrypto, hash, saslprep(password ?? 'nobody') ?? '', salt, 4096)
    return { isKnown: password !== undefined, waitMs: this.waitMs, ...verifier }
  }

  async verifyPassword(account: Jid, password: string): Promise<boolean> {
    return this.#passwords.get(account.localpart) === password
  }

  async report(account: Jid, isSuccess: boolean): Promise<SaslVerdict> {
    this.reports.push(`${account.localpart} ${isSuccess ? 'success' : 'failure'}`)
    return this.verdict
  }

  /** The only token there is, of `juliet` for `HT-SHA-256-EXPR` on the agent `AGENT`. */
  token = 'secret-token'
  isTokenExpired = false
  /** Hashes that `juliet` has no keys of. */
  missing: ScramHash[] = []
  readonly added: { hash: ScramHash; verifier: ScramVerifier }[] = []

  async checkToken(account: Jid, proof: TokenProof): Promise<TokenAnswer> {
    const key = new TextEncoder().encode(this.token)
    const isRight = account.equals(JULIET) && proof.agentId === AGENT && proof.mechanism === 'HT-SHA-256-EXPR'
      && testCrypto.timingSafeEqual(proof.proof, testCrypto.hmac('SHA-256', key, initiatorText(proof.bindingData)))
    if (!isRight) return { outcome: 'refused' }
    if (this.isTokenExpired) return { outcome: 'expired' }
    return { outcome: 'accepted', signature: testCrypto.hmac('SHA-256', key, responderText(proof.bindingData)) }
  }

  async upgradeParameters(_account: Jid, hash: ScramHash): Promise<UpgradeParameters | undefined> {
    return this.missing.includes(hash) ? { salt: new Uint8Array(16).fill(3), iterations: 4096 } : undefined
  }

  async addKeys(_account: Jid, hash: ScramHash, verifier: ScramVerifier): Promise<void> {
    this.added.push({ hash, verifier })
  }

  async createAnonymous(host: string): Promise<Jid> {
    return jidOf('anonymous-1', host)
  }
}

export const everyMechanism: SaslPolicy = {
  scramHashes: SCRAM_HASHES,
  isPlainEnabled: true,
  mayPlainBeInsecure: false,
  isExternalEnabled: true,
  isAnonymousEnabled: true,
}

/** A TLS 1.3 connection to `HOST` with everything allowed, unless said otherwise. */
export function contextOf(changes: Partial<TokenContext> = {}): TokenContext {
  return {
    host: HOST,
    isSecure: true,
    channelBindings: new Map([
      ['tls-exporter', new Uint8Array(32).fill(7)],
      ['tls-server-end-point', new Uint8Array(32).fill(9)],
    ]),
    certificateIdentities: [],
    policy: everyMechanism,
    credentials: new FakeCredentials(),
    crypto: testCrypto,
    ...changes,
  }
}
