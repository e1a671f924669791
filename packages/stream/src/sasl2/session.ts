/**
 * All attempts of one stream under SASL2 (XEP-0388): what the edge received, already decoded, to what it is to answer.
 *
 * A state machine around the same mechanisms that RFC 6120 runs. It differs in its end: a client may first have to do
 * tasks (here: keys of another hash, XEP-0480), and what ends an attempt is `granted`, after which the edge does what was
 * asked for inline before it sends `<success/>`. Traffic that XEP-0388 §2.4 forbids is a `violation`, for which the edge
 * ends the stream.
 */
import type { Jid } from '@rollcall/jid'
import { startHashedToken } from '../sasl/hashed-token.ts'
import { refusalOf, startSasl, tokenMechanismsFor } from '../sasl/mechanisms.ts'
import { SCRAM_HASH_BYTES } from '../sasl/sasl.ts'
import type {
  FastLogin, SaslExchange, SaslFailed, SaslPolicy, SaslSuccess, ScramHash, TokenContext, UpgradeParameters,
} from '../sasl/sasl.ts'
import { verifierFromSaltedPassword } from '../sasl/scram-keys.ts'
import { SASL_ATTEMPTS_MAX } from '../sasl/session.ts'

/** `<authenticate/>`. */
export interface Sasl2Request {
  readonly mechanism: string
  readonly initialResponse?: Uint8Array
  /** `<fast/>` of a client that named its installation. */
  readonly fast?: FastLogin
  /** Names of upgrade tasks that the client is ready for. */
  readonly upgrades: readonly string[]
}

/** What a client has proven to have. */
export type LoginMethod = 'password' | 'token' | 'certificate' | 'anonymous'

/** Who the client is; nothing else is to be waited for. */
export interface Sasl2Granted {
  readonly kind: 'granted'
  readonly account: Jid
  readonly isAnonymous: boolean
  readonly method: LoginMethod
  /** What the mechanism says at the end, unless it went with `<continue/>`. */
  readonly data?: Uint8Array
}

export type Sasl2Reply =
  | { readonly kind: 'challenge'; readonly data: Uint8Array }
  /** The mechanism succeeded; one task is to be done. */
  | { readonly kind: 'continue'; readonly task: string; readonly data?: Uint8Array }
  /** The step of an upgrade task that the server makes (XEP-0480 §3). */
  | ({ readonly kind: 'salt' } & UpgradeParameters)
  | Sasl2Granted
  | SaslFailed
  | { readonly kind: 'violation'; readonly text: string }

export interface Sasl2Session {
  /** No method rejects. `undefined`: the attempt was ended meanwhile, and what ended it has been answered. */
  authenticate(request: Sasl2Request): Promise<Sasl2Reply | undefined>
  response(data: Uint8Array): Promise<Sasl2Reply | undefined>
  next(task: string): Promise<Sasl2Reply | undefined>
  /** `<hash/>` in `<task-data/>`; undefined when the client sent anything else. */
  saltedPassword(value: Uint8Array | undefined): Promise<Sasl2Reply | undefined>
  /** `<abort/>`; also to be called when the connection is lost. */
  abort(): Sasl2Reply
  /** Something was sent and is not over: only this protocol's elements may come (XEP-0388 §2.4). */
  readonly isUnderWay: boolean
  /** After the last failure: whether to close the stream with `policy-violation`. */
  readonly isExhausted: boolean
}

const TASK_PREFIX = 'UPGR-SCRAM-'

/** Names of the upgrade tasks on offer. Whether an account needs one is not told before it has authenticated. */
export function upgradeTasksFor(policy: SaslPolicy): string[] {
  return policy.scramHashes.map(hash => TASK_PREFIX + hash)
}

/** A session over `context`; `attemptsMax` failures exhaust it. `from` is whom the stream header says the client is. */
export function sasl2Session(
  context: TokenContext, from: Jid | undefined, attemptsMax: number = SASL_ATTEMPTS_MAX,
): Sasl2Session {
  return new Session(context, from, attemptsMax)
}

interface Task {
  readonly hash: ScramHash
  readonly name: string
  readonly parameters: UpgradeParameters
}

type State = 'idle' | 'exchange' | 'offered' | 'task' | 'over'

class Session implements Sasl2Session {
  readonly #context: TokenContext
  readonly #from: Jid | undefined
  readonly #attemptsMax: number
  #failures = 0
  #state: State = 'idle'
  /** A step is under way. */
  #isBusy = false
  /** Tells steps of an attempt that was ended from those of the present one. */
  #attempt = 0
  #exchange: SaslExchange | undefined
  #method: LoginMethod = 'password'
  #upgrades: ScramHash[] = []
  #success: SaslSuccess | undefined
  #task: Task | undefined

  constructor(context: TokenContext, from: Jid | undefined, attemptsMax: number) {
    this.#context = context
    this.#from = from
    this.#attemptsMax = attemptsMax
  }

  get isExhausted(): boolean {
    return this.#failures >= this.#attemptsMax
  }

  get isUnderWay(): boolean {
    return this.#state !== 'idle'
  }

  authenticate(request: Sasl2Request): Promise<Sasl2Reply | undefined> {
    return this.#run('idle', async () => {
      const { mechanism } = request
      this.#exchange = this.#start(request)
      if (this.#exchange === undefined) return failed(refusalOf(mechanism, this.#context))
      this.#method = methodOf(mechanism)
      this.#upgrades = this.#method === 'password' ? hashesOf(request.upgrades, this.#context.policy) : []
      this.#state = 'exchange'
      return this.#step(this.#exchange, request.initialResponse)
    })
  }

  response(data: Uint8Array): Promise<Sasl2Reply | undefined> {
    return this.#run('exchange', async () => this.#step(this.#exchange as SaslExchange, data))
  }

  next(name: string): Promise<Sasl2Reply | undefined> {
    return this.#run('offered', async () => {
      if (this.#task === undefined || this.#task.name !== name) return failed('malformed-request', 'not the task on offer')
      this.#state = 'task'
      return { kind: 'salt', ...this.#task.parameters }
    })
  }

  saltedPassword(value: Uint8Array | undefined): Promise<Sasl2Reply | undefined> {
    return this.#run('task', async () => {
      const success = this.#success as SaslSuccess
      const { hash, parameters } = this.#task as Task
      if (value?.length !== SCRAM_HASH_BYTES[hash]) return failed('malformed-request', 'not the salted password')
      const { crypto, credentials } = this.#context
      const verifier = verifierFromSaltedPassword(crypto, hash, value, parameters.salt, parameters.iterations)
      await credentials.addKeys(success.account, hash, verifier)
      return this.#proceed(success)
    })
  }

  abort(): Sasl2Reply {
    if (this.#state === 'idle') return violation('nothing to abort')
    this.#attempt++
    return this.#fail({ kind: 'failure', condition: 'aborted' })
  }

  /** A message that is in turn in `state` only. */
  async #run(state: State, work: () => Promise<Sasl2Reply>): Promise<Sasl2Reply | undefined> {
    if (this.#isBusy || this.#state !== state) return violation('out of turn')
    const attempt = this.#attempt
    this.#isBusy = true
    let reply: Sasl2Reply
    try {
      reply = await work()
    } catch (error) {
      // As in RFC 6120's exchange: nothing but an explicit success lets anybody in.
      reply = { kind: 'failure', condition: 'temporary-auth-failure', cause: error }
    }
    this.#isBusy = false
    if (attempt !== this.#attempt) return undefined
    return reply.kind === 'failure' ? this.#fail(reply) : reply
  }

  #start({ mechanism, fast }: Sasl2Request): SaslExchange | undefined {
    if (!tokenMechanismsFor(this.#context).includes(mechanism)) return startSasl(mechanism, this.#context)
    // XEP-0484 §3.4: a token is only taken from who says that it is one, and for which installation.
    return fast === undefined ? undefined : startHashedToken(this.#context, mechanism, fast)
  }

  async #step(exchange: SaslExchange, data: Uint8Array | undefined): Promise<Sasl2Reply> {
    const step = await exchange.step(data)
    if (step.kind !== 'success') return step
    // XEP-0388 §2.3, §6.4: the header has to name the identity that is negotiated, if it names any.
    const isOther = this.#from !== undefined && !step.isAnonymous && !this.#from.bareEquals(step.account)
    if (isOther) return failed('invalid-authzid', 'the stream header names another account')
    this.#success = step
    return this.#proceed(step, step.data)
  }

  /** The next task, or the end. */
  async #proceed(success: SaslSuccess, data?: Uint8Array): Promise<Sasl2Reply> {
    const { account, isAnonymous } = success
    for (let hash = this.#upgrades.shift(); hash !== undefined; hash = this.#upgrades.shift()) {
      const parameters = await this.#context.credentials.upgradeParameters(account, hash)
      if (parameters === undefined) continue
      this.#task = { hash, name: TASK_PREFIX + hash, parameters }
      this.#state = 'offered'
      return { kind: 'continue', task: this.#task.name, ...(data && { data }) }
    }
    this.#state = 'over'
    return { kind: 'granted', account, isAnonymous, method: this.#method, ...(data && { data }) }
  }

  #fail(failure: SaslFailed): SaslFailed {
    this.#failures++
    this.#exchange?.abort()
    this.#exchange = undefined
    // XEP-0388 §6.8: after `<continue/>` there is no other attempt.
    this.#state = this.#task === undefined ? 'idle' : 'over'
    return failure
  }
}

const failed = (condition: SaslFailed['condition'], text?: string): SaslFailed =>
  ({ kind: 'failure', condition, ...(text !== undefined && { text }) })

const violation = (text: string): Sasl2Reply => ({ kind: 'violation', text })

function methodOf(mechanism: string): LoginMethod {
  if (mechanism === 'EXTERNAL') return 'certificate'
  if (mechanism === 'ANONYMOUS') return 'anonymous'
  return mechanism.startsWith('HT-') ? 'token' : 'password'
}

/** The hashes of tasks that were asked for and are on offer, each once. */
function hashesOf(tasks: readonly string[], policy: SaslPolicy): ScramHash[] {
  return policy.scramHashes.filter(hash => tasks.includes(TASK_PREFIX + hash))
}
