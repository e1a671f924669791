/**
 * Resource binding and the end of sessions (RFC 6120 §7): where a `LocalSession` is born and dies.
 */
import type { Clock, Bus, Log, MemberId, Metrics, Random } from '@rollcall/ports'
import { JidError } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { accountRemoving, messageAcked, sessionBound, sessionUnbound } from '@rollcall/module-api'
import type { UnboundSession } from '@rollcall/module-api'
import type { Bind2Wish } from '../protocol/login-messages.ts'
import type { BindReply, BindSession, ServerMessage } from '../protocol/messages.ts'
import type { AccountRegistry, Waiter } from './account-registry.ts'
import type { BindInline } from './bind-inline.ts'
import type { CoreLimits } from './config.ts'
import type { HookChains } from './hook-chains.ts'
import { LocalSession } from './entities.ts'
import type { LocalAccount, SessionPorts } from './entities.ts'
import { SessionTable } from './session-table.ts'
import type { QueueEntry } from './unacked-queue.ts'

export interface BindingPorts {
  readonly bus: Bus<ServerMessage>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  readonly limits: CoreLimits
  readonly registry: AccountRegistry
  readonly hooks: HookChains
  /** Answers what Bind 2 asks for. */
  readonly bindInline: BindInline
  /** Takes what a session that ended did not acknowledge, oldest first. */
  readonly orphaned: (session: LocalSession, entries: readonly QueueEntry[]) => void
  /** Deletes what modules stored for a temporary account. */
  readonly discard: (account: Jid) => void
}

interface DueEnd {
  readonly session: LocalSession
  readonly condition: string
  readonly text: string | undefined
}

/** Characters of a client's id that its resourcepart has: 72 bits. */
const STABLE_ID_UNITS = 12

export class Binding {
  readonly sessions = new SessionTable()
  /** For every session made here or taken over. */
  readonly sessionPorts: SessionPorts
  readonly #ports: BindingPorts
  readonly #bound
  readonly #unbound
  readonly #removing
  #due: DueEnd[] = []

  constructor(ports: BindingPorts) {
    this.#ports = ports
    this.#bound = ports.hooks.observe(sessionBound)
    this.#unbound = ports.hooks.observe(sessionUnbound)
    this.#removing = ports.hooks.observe(accountRemoving)
    this.sessionPorts = {
      bus: ports.bus,
      acked: ports.hooks.observe(messageAcked),
      now: () => ports.clock.now(),
      endSoon: (session, condition, text) => this.#endSoon({ session, condition, text }),
    }
    ports.metrics.observedGauge('rollcall_sessions', 'Connected resources.', () => this.sessions.count)
  }

  /** Binds a resource to the account, warming it; the reply says why when it is refused. */
  bind(edge: MemberId, request: BindSession): Promise<BindReply> {
    return new Promise((resolve) => {
      const { registry } = this.#ports
      const bind: Waiter = (account, failure) => {
        if (account !== undefined) resolve(this.#bindTo(account, edge, request))
        else if (failure !== undefined) resolve({ isBound: false, condition: 'resource-constraint', text: failure.text ?? '' })
        else resolve({ isBound: false, condition: 'not-allowed', text: 'The account does not exist any more' })
      }
      if (request.isAnonymous) registry.useTemporary(request.account.bare, bind)
      else registry.use(request.account.bare, bind, true)
    })
  }

  /** Ends a session: forgets it first, so that nothing that handlers send reaches it. */
  unbind(session: LocalSession, reason: UnboundSession['reason']): void {
    if (session.isEnded) return
    session.isEnded = true
    this.sessions.remove(session)
    const { account } = session
    if (account.sessions.get(session.jid.resourcepart) === session) account.removeSession(session.jid.resourcepart)
    account.lastUsedAt = Math.floor(this.#ports.clock.monotonic())
    const unacked = session.takeUnacked()
    this.#unbound.run({ session, reason })
    if (unacked.length > 0) this.#ports.orphaned(session, unacked)
    if (account.isTemporary && account.sessions.size === 0) this.#discard(account)
  }

  /** The end of an ANONYMOUS login: contacts are told as of any removal, and nothing is left. */
  #discard(account: LocalAccount): void {
    this.#removing.run({ account })
    this.#ports.registry.evict(account.jid)
    this.#ports.discard(account.jid)
  }

  /** Ends a session and its stream, with the error that the client is to see. */
  end(session: LocalSession, reason: UnboundSession['reason'], condition: string, text?: string): void {
    session.closeStream(condition, text)
    this.unbind(session, reason)
  }

  /**
   * At the end of this turn: whoever wants a session ended may be in the middle of sending to all of them. Several due at
   * once are ended in the order of asking.
   */
  #endSoon(due: DueEnd): void {
    if (this.#due.push(due) === 1) this.#ports.clock.soon(this.#endAll)
  }

  readonly #endAll = (): void => {
    const due = this.#due
    this.#due = []
    for (const { session, condition, text } of due) this.end(session, 'lost', condition, text)
  }

  /** Puts an existing session in place: after binding here, or after a hand-off. */
  install(session: LocalSession): void {
    session.account.addSession(session.jid.resourcepart, session)
    if (session.isAttached) this.sessions.add(session)
  }

  #bindTo(account: LocalAccount, edge: MemberId, request: BindSession): BindReply | Promise<BindReply> {
    const jid = this.#addressOf(account, request)
    if (typeof jid === 'string') return { isBound: false, condition: 'bad-request', text: jid }
    if (request.origin.clientId !== undefined) this.#endOthersOf(account, request.origin.clientId, jid)
    const older = account.sessions.get(jid.resourcepart)
    if (older === undefined && account.sessions.size >= this.#ports.limits.sessionsPerAccountMax && !this.#makeRoom(account)) {
      return { isBound: false, condition: 'resource-constraint', text: 'Too many connected resources' }
    }
    if (older !== undefined) {
      // RFC 6120 §7.7.2.2: the newer connection wins; the older may be a socket that is dead and does not know it.
      this.end(older, 'replaced', 'conflict', 'Replaced by a new connection')
    }
    const session = new LocalSession(this.sessionPorts, account, jid, edge, request.conn, this.#ports.clock.now(), request.origin)
    this.install(session)
    this.#bound.run({ session })
    return request.bind2 === undefined ? { isBound: true, jid } : this.#answerBind2(session, request.bind2)
  }

  /** The full JID, or why there is none. */
  #addressOf(account: LocalAccount, { resourcepart, bind2, origin }: BindSession): Jid | string {
    // Stable (XEP-0386 §3.2.1), so that who comes back takes the place of who was lost, and nobody sees a stranger.
    const id = (bind2 && origin.clientId?.slice(0, STABLE_ID_UNITS)) ?? this.#ports.random.id()
    const tagged = bind2 === undefined || bind2.tag === '' ? undefined : fullJid(account.jid, `${bind2.tag}/${id}`)
    return typeof tagged === 'object' ? tagged : fullJid(account.jid, resourcepart === '' ? id : resourcepart)
  }

  /** XEP-0386 §3.2: an installation has one session. That at `jid` itself is replaced as any other. */
  #endOthersOf(account: LocalAccount, clientId: string, jid: Jid): void {
    for (const session of [...account.sessions.values()]) {
      if (session.origin.clientId !== clientId || session.jid.equals(jid)) continue
      this.end(session, 'replaced', 'conflict', 'Replaced by a new connection')
    }
  }

  async #answerBind2(session: LocalSession, { requests }: Bind2Wish): Promise<BindReply> {
    const results = await this.#ports.bindInline.answer(session, requests)
    if (!session.isEnded) return { isBound: true, jid: session.jid, results }
    return { isBound: false, condition: 'conflict', text: 'Replaced by a new connection' }
  }

  /** Ends the session that has waited longest for its client: one that is there comes before one that may come back. */
  #makeRoom(account: LocalAccount): boolean {
    let oldest: LocalSession | undefined
    let sinceMs = Infinity
    for (const session of account.sessions.values()) {
      const detachedAtMs = session.management?.detachedAtMs ?? Infinity
      if (detachedAtMs >= sinceMs) continue
      oldest = session
      sinceMs = detachedAtMs
    }
    if (oldest !== undefined) this.unbind(oldest, 'replaced')
    return oldest !== undefined
  }
}

/** The full JID, or why the resourcepart cannot be one. */
function fullJid(account: Jid, resourcepart: string): Jid | string {
  try {
    return account.withResource(resourcepart)
  } catch (error) {
    if (error instanceof JidError) return error.message
    throw error
  }
}
