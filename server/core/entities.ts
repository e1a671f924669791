/**
 * Accounts and sessions as their core holds them.
 *
 * An account is warm while it is here: its sessions and the modules' loaded state. A session is a connected resource;
 * its socket lives on an edge and is known as (edge, conn). The two refer to each other, so they share a file.
 */
import type { Jid } from '@rollcall/jid'
import type { Bus, MemberId } from '@rollcall/ports'
import type { Account, AccountSlot, messageAcked, SendSieve, Session, SessionHold, SessionOrigin, SessionSlot } from '@rollcall/module-api'
import type { Stanza } from '@rollcall/stanza'
import type { ConnId, ServerMessage } from '../protocol/messages.ts'
import type { ObserveChain } from './hook-chains.ts'
import type { HookEvent } from './hook-event.ts'
import { EarlyMessages } from './early-messages.ts'
import type { ManagedStream } from './managed-stream.ts'
import { DeliveredStanza, wireOf } from './unacked-queue.ts'
import type { QueueEntry } from './unacked-queue.ts'
import { HeldQueue } from './held-queue.ts'

/** What sessions need of their core; one object for all. */
export interface SessionPorts {
  readonly bus: Bus<ServerMessage>
  readonly acked: ObserveChain<HookEvent<typeof messageAcked>>
  /** ms since the Unix epoch. */
  readonly now: () => number
  /** Ends the session at the end of this turn. */
  readonly endSoon: (session: LocalSession, condition: string, text: string | undefined) => void
}

/** A slot token after registration: `index` is its place in every account's state array. */
export interface RegisteredSlot<T> extends AccountSlot<T> {
  readonly index: number
}

export class LocalAccount implements Account {
  readonly jid: Jid
  readonly sessions: ReadonlyMap<string, LocalSession> = new Map<string, LocalSession>()
  readonly states: unknown[]
  /** Of an ANONYMOUS login: gone with its last session, and never in the list of accounts. */
  readonly isTemporary: boolean
  isWarm = true
  changeCount = 0
  /** Monotonic time of the last use without a session, in whole ms, which need no box; drives unloading. */
  lastUsedAt = 0

  constructor(jid: Jid, states: unknown[], isTemporary = false) {
    this.jid = jid
    this.states = states
    this.isTemporary = isTemporary
  }

  noteChange(): void {
    // It only has to be another one than lately, and a small integer.
    this.changeCount = (this.changeCount + 1) & 0x3fff_ffff
  }

  /** Puts a session in place, of which there may have been another. */
  addSession(resourcepart: string, session: LocalSession): void {
    ;(this.sessions as Map<string, LocalSession>).set(resourcepart, session)
    this.noteChange()
  }

  removeSession(resourcepart: string): void {
    ;(this.sessions as Map<string, LocalSession>).delete(resourcepart)
    this.noteChange()
  }

  get<T>(slot: AccountSlot<T>): T {
    return this.states[(slot as RegisteredSlot<T>).index] as T
  }

  *availableSessions(): Iterable<LocalSession> {
    for (const session of this.sessions.values()) if (session.presence !== undefined) yield session
  }
}

export class LocalSession implements Session {
  readonly account: LocalAccount
  readonly jid: Jid
  /** With `conn` the connection; those of the last one while the session is detached. */
  edge: MemberId
  conn: ConnId
  origin: SessionOrigin
  readonly boundAt: number
  priority = 0
  isInterested = false
  /** Set when it leaves the account's sessions. */
  isEnded = false
  // What else `isPlain` depends on is changed through setters, which note it.
  #sieve: SendSieve | undefined = undefined
  #management: ManagedStream<LocalSession> | undefined = undefined
  readonly #ports: SessionPorts
  #presence: Stanza | undefined = undefined
  #early: EarlyMessages | undefined = undefined
  // Most sessions of most modules keep nothing, so the map is made on first use.
  #slots: Map<SessionSlot<unknown>, unknown> | undefined = undefined
  #held: HeldQueue | undefined = undefined

  constructor(
    ports: SessionPorts, account: LocalAccount, jid: Jid,
    edge: MemberId, conn: ConnId, boundAt: number, origin: SessionOrigin,
  ) {
    this.#ports = ports
    this.account = account
    this.jid = jid
    this.edge = edge
    this.conn = conn
    this.boundAt = boundAt
    this.origin = origin
  }

  get presence(): Stanza | undefined {
    return this.#presence
  }

  set presence(presence: Stanza | undefined) {
    if ((presence === undefined) !== (this.#presence === undefined)) this.account.noteChange()
    this.#presence = presence
    // From now on it is a client that does not acknowledge: what was written to it is delivered.
    if (presence !== undefined && this.#early !== undefined && this.management === undefined) this.earlyArrived()
  }

  get sieve(): SendSieve | undefined {
    return this.#sieve
  }

  set sieve(sieve: SendSieve | undefined) {
    this.#sieve = sieve
    this.account.noteChange()
  }

  /** Stream management, when the client asked for it. */
  get management(): ManagedStream<LocalSession> | undefined {
    return this.#management
  }

  set management(management: ManagedStream<LocalSession> | undefined) {
    this.#management = management
    this.account.noteChange()
  }

  get<T>(slot: SessionSlot<T>): T | undefined {
    return this.#slots?.get(slot) as T | undefined
  }

  set<T>(slot: SessionSlot<T>, state: T | undefined): void {
    if (state === undefined) this.#slots?.delete(slot)
    else (this.#slots ??= new Map()).set(slot, state)
  }

  /** Every slot that is set, for the hand-off snapshot. */
  slots(): Iterable<[SessionSlot<unknown>, unknown]> {
    return this.#slots ?? []
  }

  // ------------------------------------------------------------------------------------ output

  /** Whether what is sent is written at once and forgotten: an available resource without stream management, no hold. */
  get isDirect(): boolean {
    return this.management === undefined && this.#presence !== undefined && (this.#held === undefined || this.#held.isEmpty)
  }

  /** Whether something is kept back, to go behind what a holder sends. */
  get isHeld(): boolean {
    return this.#held !== undefined && !this.#held.isEmpty
  }

  /** As `isDirect`, and presence passes as it is: it may be sent together with that of others. */
  get isPlain(): boolean {
    return this.sieve === undefined && !this.isEnded && this.isDirect
  }

  send(stanza: Stanza): void {
    this.sendEntry(stanza.toWire())
  }

  sendWire(wire: string): void {
    this.sendEntry(wire)
  }

  sendPresence(wire: string, from: Jid): void {
    if (this.#passesPresence(wire, from)) this.#deliver(wire, 'deliver-presence')
  }

  sendEcho(wire: string): void {
    if (this.#passesPresence(wire, this.jid)) this.#deliver(wire, this.edge === this.#ports.bus.memberId ? 'deliver-echo' : 'deliver-presence')
  }

  /** False when it is none of the connection's business, or was kept back. */
  #passesPresence(wire: string, from: Jid): boolean {
    if (this.sieve !== undefined && !this.sieve.passesPresence(wire, from)) return false
    if (this.#held === undefined || this.#held.isEmpty) return true
    this.sendEntry(wire)
    return false
  }

  /** As `send`, for what may have to be delivered elsewhere when the client never acknowledges it. */
  sendEntry(entry: QueueEntry): void {
    if (this.sieve !== undefined && !this.sieve.passes(wireOf(entry))) {
      // What a sieve takes may be superseded or never sent: nobody waits for its acknowledgement.
      if (typeof entry !== 'string' && entry.stanza.kind === 'message') this.#tellAcked(entry)
      return
    }
    if (this.#held === undefined || this.#held.isEmpty) this.#deliver(entry)
    else if (!this.isEnded) this.#held.keep(entry)
  }

  /** Sends an element that is no stanza, past every queue. */
  sendNonza(wire: string): void {
    if (!this.isEnded && this.isAttached) this.#ports.bus.send(this.edge, { kind: 'deliver', conn: this.conn, wire })
  }

  /** Sends an entry again that is in the queue already. */
  replay(entry: QueueEntry): void {
    this.#ports.bus.send(this.edge, { kind: 'deliver', conn: this.conn, wire: wireOf(entry) })
  }

  hold(): SessionHold {
    this.#held ??= new HeldQueue({
      deliver: (entry) => this.#deliver(entry),
      entryOf: (stanza) => this.#entryOf(stanza),
      overflow: () => this.close('resource-constraint', 'Too much came while stored messages were read'),
    })
    this.account.noteChange()
    return this.#held.hold()
  }

  /** Lets everything that holds kept back go: before the session moves to another member. */
  releaseAll(): void {
    this.#held?.releaseAll()
  }

  /** What a hold sends is of the store that it was for: kept like any message, where something is kept. */
  #entryOf(stanza: Stanza): QueueEntry {
    const wire = stanza.toWire()
    const isKept = stanza.kind === 'message' && (this.management !== undefined || !this.#ports.acked.isEmpty)
    return isKept ? new DeliveredStanza(stanza, wire, this.#ports.now(), [this]) : wire
  }

  #deliver(entry: QueueEntry, kind: 'deliver' | 'deliver-presence' | 'deliver-echo' = 'deliver'): void {
    if (this.isEnded) return
    const { management } = this
    if (management !== undefined) {
      if (!management.keep(entry)) return
    } else if (typeof entry !== 'string' && entry.stanza.kind === 'message') {
      if (this.#presence === undefined) this.keepEarly(entry)
      else this.#tellAcked(entry)
    }
    this.#ports.bus.send(this.edge, { kind, conn: this.conn, wire: wireOf(entry) })
  }

  /** Keeps a message of which nobody can know yet whether it will be acknowledged. */
  keepEarly(entry: DeliveredStanza): void {
    this.#early ??= new EarlyMessages()
    for (const given of this.#early.add(entry)) this.#tellAcked(given)
  }

  /** What was kept early, oldest first. */
  earlyMessages(): readonly DeliveredStanza[] {
    return this.#early?.entries() ?? []
  }

  /** The client has what was written to it before stream management began. */
  earlyArrived(): void {
    for (const entry of this.#early?.takeAll() ?? []) this.#tellAcked(entry)
    this.#early = undefined
  }

  #tellAcked({ stanza }: DeliveredStanza): void {
    this.#ports.acked.run({ session: this, stanza })
  }

  // ------------------------------------------------------------------------------------ connection and end

  /** Whether there is a connection, as far as anybody knows. */
  get isAttached(): boolean {
    return this.management === undefined || !this.management.isDetached
  }

  close(condition: string, text?: string): void {
    if (!this.isEnded) this.#ports.endSoon(this, condition, text)
  }

  /** Ends the stream alone; the session goes on or ends as the caller says. */
  closeStream(condition: string, text?: string, detail?: string): void {
    if (this.isEnded || !this.isAttached) return
    this.#ports.bus.send(this.edge, {
      kind: 'close-stream', conn: this.conn, condition,
      ...(text === undefined ? {} : { text }), ...(detail === undefined ? {} : { detail }),
    })
  }

  /** What was sent to the client and is not known to be there: not acknowledged, or kept back by a hold. */
  takeUnacked(): QueueEntry[] {
    return [...this.#early?.takeAll() ?? [], ...this.management?.end() ?? [], ...this.#held?.takeAll() ?? []]
  }
}
