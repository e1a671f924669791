/** What SASL mechanisms ask about accounts, asked of the core over the bus. */
import type { Jid } from '@rollcall/jid'
import type {
  SaslVerdict, ScramHash, ScramKeys, ScramVerifier, TokenAnswer, TokenCredentials, TokenProof, UpgradeParameters,
} from '@rollcall/stream'
import type { Hub } from './hub.ts'
import type { VerifyResult } from '../protocol/messages.ts'

/** One per connection that authenticates, for its `address`. */
export class BusCredentials implements TokenCredentials {
  readonly #hub: Hub
  readonly #host: Jid
  readonly #address: string

  constructor(hub: Hub, host: Jid, address: string) {
    this.#hub = hub
    this.#host = host
    this.#address = address
  }

  async lockoutMs(account: Jid): Promise<number> {
    const reply = await this.#hub.request(account, { kind: 'check-lockout', account }) as { readonly waitMs: number }
    return reply.waitMs
  }

  scramKeys(account: Jid, hash: ScramHash): Promise<ScramKeys> {
    return this.#hub.request(account, { kind: 'scram-keys', account, hash }) as Promise<ScramKeys>
  }

  async verifyPassword(account: Jid, password: string): Promise<boolean> {
    const reply = await this.#hub.request(account, { kind: 'verify-password', account, password }) as VerifyResult
    return reply.isValid
  }

  report(account: Jid, isSuccess: boolean): Promise<SaslVerdict> {
    return this.#hub.request(account, { kind: 'report-auth', account, isSuccess, address: this.#address }) as Promise<SaslVerdict>
  }

  createAnonymous(host: string): Promise<Jid> {
    return this.#hub.request(this.#host, { kind: 'create-anonymous', host }) as Promise<Jid>
  }

  checkToken(account: Jid, proof: TokenProof): Promise<TokenAnswer> {
    return this.#hub.request(account, { kind: 'check-token', account, ...proof }) as Promise<TokenAnswer>
  }

  upgradeParameters(account: Jid, hash: ScramHash): Promise<UpgradeParameters | undefined> {
    return this.#hub.request(account, { kind: 'upgrade-parameters', account, hash }) as Promise<UpgradeParameters | undefined>
  }

  async addKeys(account: Jid, hash: ScramHash, verifier: ScramVerifier): Promise<void> {
    await this.#hub.request(account, { kind: 'upgrade-keys', account, hash, ...verifier })
  }
}
