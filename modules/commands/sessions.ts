/**
 * Command sessions: an id, whose it is, and the stages it went through. Bounded in number, in depth and in time.
 *
 * Ids of sessions that ended are remembered for a while, so that a late request learns that it is late (`session-expired`)
 * and not that it made the id up (`bad-sessionid`).
 */
import type { Jid } from '@rollcall/jid'
import type { Clock, Random, Timer } from '@rollcall/ports'
import { commandCondition, commandConditions } from '@rollcall/protocol'
import type { CommandCondition } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { CommandCaller, CommandDefinition, FormStage } from './port.ts'

export interface SessionLimits {
  readonly sessionsMax: number
  readonly sessionsPerUserMax: number
  readonly sessionTimeoutMs: number
}

/** Stages of one session that can be gone back to. */
export const STAGES_MAX = 50
const ENDED_IDS_MAX = 10_000

export interface CommandSession {
  readonly id: string
  readonly command: CommandDefinition
  readonly from: Jid
  readonly to: Jid
  /** Forms shown so far, the present one last. */
  readonly stages: FormStage[]
  /** A request of the session is being worked on. */
  isBusy: boolean
  timer: Timer
}

/** The stanza error for a condition of XEP-0050 §4.4. */
export function commandError(condition: CommandCondition, text?: string): StanzaError {
  return new StanzaError(commandConditions[condition], text, { application: commandCondition(condition) })
}

export class CommandSessions {
  readonly #sessions = new Map<string, CommandSession>()
  /** Sessions by the bare JID of their user. */
  readonly #counts = new Map<string, number>()
  readonly #ended = new Set<string>()
  readonly #clock: Clock
  readonly #random: Random
  readonly #limits: SessionLimits

  constructor(clock: Clock, random: Random, limits: SessionLimits) {
    this.#clock = clock
    this.#random = random
    this.#limits = limits
  }

  get size(): number {
    return this.#sessions.size
  }

  /** A new id, for a session that may end with its first answer. */
  newId(): string {
    return this.#random.id()
  }

  /** Throws when no session can be opened for this user: `not-allowed` for too many of their own (XEP-0050 §3.3). */
  requireRoom(from: Jid): void {
    if ((this.#counts.get(from.bare.toString()) ?? 0) >= this.#limits.sessionsPerUserMax) {
      throw new StanzaError('not-allowed', `At most ${this.#limits.sessionsPerUserMax} commands at a time`)
    }
    if (this.#sessions.size >= this.#limits.sessionsMax) throw new StanzaError('resource-constraint')
  }

  open(id: string, command: CommandDefinition, caller: CommandCaller, stage: FormStage): CommandSession {
    this.requireRoom(caller.from)
    const user = caller.from.bare.toString()
    const session: CommandSession = {
      id, command, from: caller.from, to: caller.to, stages: [stage], isBusy: false, timer: this.#timer(id),
    }
    this.#sessions.set(id, session)
    this.#counts.set(user, (this.#counts.get(user) ?? 0) + 1)
    return session
  }

  /** The session of this id, which must be this user's, at this entity, of this command; its time starts anew. */
  find(id: string, command: CommandDefinition, caller: CommandCaller): CommandSession {
    const session = this.#sessions.get(id)
    if (session === undefined) throw commandError(this.#ended.has(id) ? 'session-expired' : 'bad-sessionid')
    const isOwn = session.from.equals(caller.from) && session.to.equals(caller.to) && session.command === command
    if (!isOwn) throw commandError('bad-sessionid')
    session.timer.cancel()
    session.timer = this.#timer(id)
    return session
  }

  has(session: CommandSession): boolean {
    return this.#sessions.get(session.id) === session
  }

  end(id: string): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    session.timer.cancel()
    this.#sessions.delete(id)
    const user = session.from.bare.toString()
    const count = (this.#counts.get(user) ?? 1) - 1
    if (count > 0) this.#counts.set(user, count)
    else this.#counts.delete(user)
    this.#remember(id)
  }

  #timer(id: string): Timer {
    return this.#clock.after(this.#limits.sessionTimeoutMs, () => this.end(id))
  }

  #remember(id: string): void {
    this.#ended.add(id)
    if (this.#ended.size <= ENDED_IDS_MAX) return
    for (const oldest of this.#ended) {
      this.#ended.delete(oldest)
      break
    }
  }
}
