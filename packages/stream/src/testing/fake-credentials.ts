/** The core as the mechanisms see it, in memory: accounts with passwords, and every call recorded. */
import { jidOf } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { SaslContext, SaslCredentials, SaslPolicy, SaslVerdict, ScramKeys } from '../sasl/sasl.ts'
import { SCRAM_HASHES } from '../sasl/sasl.ts'
import { saslprep } from '../sasl/saslprep.ts'
import { deriveScramVerifier } from '../sasl/scram-keys.ts'
import { testCrypto } from './scram-client.ts'

export const HOST = 'capulet.example'
export const JULIET = jidOf('juliet', HOST)

export class FakeCredentials implements SaslCredentials {
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
    return { isKnown: password !== undefined, ...verifier }
  }

  async verifyPassword(account: Jid, password: string): Promise<boolean> {
    return this.#passwords.get(account.localpart) === password
  }

  async report(account: Jid, isSuccess: boolean): Promise<SaslVerdict> {
    this.reports.push(`${account.localpart} ${isSuccess ? 'success' : 'failure'}`)
    return this.verdict
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
export function contextOf(changes: Partial<SaslContext> = {}): SaslContext {
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
