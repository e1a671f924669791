/**
 * What a core does as one of several (ADR 0012, 0019): gives accounts away and takes them over, goes on with sessions whose core
 * died, waits for clients that died with it, and ends those that cannot come back.
 */
import { accountLeaving, PresenceFanOut, sessionAdopted, sessionRestored } from '@rollcall/module-api'
import { parseJid, parseJidWire } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Bus, Clock, Json, Log, MemberId } from '@rollcall/ports'
import { errorReply, stanzaFromFrame, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { defaultLimits, latin1ToBytes, scanDocument } from '@rollcall/xml'
import type { AdoptSessions, BurySessions, RestoreSession } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import type { Placement } from '../protocol/placement.ts'
import type { AccountRegistry } from './account-registry.ts'
import type { Binding } from './binding.ts'
import type { ComponentTable } from './components.ts'
import type { LocalAccount, LocalSession } from './entities.ts'
import { DurableWork } from './durable-work.ts'
import type { HookChains } from './hook-chains.ts'
import type { MemberQuestions } from './member-questions.ts'
import type { ModuleLoader } from './module-loader.ts'
import type { Repeats } from './repeats.ts'
import { SENT_AGAIN_MAX } from './sent-again.ts'
import type { MirroredRecord, SessionMirror } from './session-mirror.ts'
import { exportAccount, importAccount, importSession } from './snapshot.ts'
import type { AccountSnapshot } from './snapshot.ts'
import type { StreamManagement } from './stream-management.ts'
import { DeliveredStanza } from './unacked-queue.ts'
import type { QueueEntry } from './unacked-queue.ts'

export interface MemberCorePorts {
  readonly bus: Bus<ServerMessage>
  readonly placement: Placement
  readonly clock: Clock
  readonly log: Log
  readonly hooks: HookChains
  readonly registry: AccountRegistry
  readonly binding: Binding
  readonly components: ComponentTable
  readonly streams: StreamManagement
  readonly repeats: Repeats
  readonly loader: ModuleLoader
  /** Absent where there is one member. */
  readonly mirror: SessionMirror | undefined
  readonly questions: MemberQuestions
  readonly reply: (stanza: Stanza) => void
}

/** Sessions that are given up in one turn: each may tell hundreds of contacts. */
const LOST_PER_TURN = 200
/** How often a hand-over looks whether everything has settled. */
const LOOKS_MAX = 1000
const LOOK_MS = 5

export class MemberCore {
  readonly #ports: MemberCorePorts
  readonly #leaving
  readonly #restored
  readonly #adopted
  /** Sessions that came here with stanzas that their old owner has not called safe. */
  readonly #unsafe = new Map<string, { readonly owner: MemberId; readonly resolve: () => void }>()

  constructor(ports: MemberCorePorts) {
    this.#ports = ports
    this.#leaving = ports.hooks.observe(accountLeaving)
    this.#restored = ports.hooks.observe(sessionRestored)
    this.#adopted = ports.hooks.observe(sessionAdopted)
  }

  /** Tells a member that has come what it has to know of this one. */
  greet(member: MemberId): void {
    this.#ports.components.announceTo(member)
    this.#ports.questions.came()
  }

  // ------------------------------------------------------------------------------------ hand-over

  /** Takes an account out of this member, sessions and all, for its next owner; undefined when it is not warm. */
  handOver(jid: Jid): AccountSnapshot | undefined {
    const { binding, clock, loader, mirror, placement, registry, streams } = this.#ports
    const account = registry.warm(jid)
    if (account === undefined) return undefined
    loader.find(PresenceFanOut)?.settle(account)
    for (const session of account.sessions.values()) {
      session.sieve?.flush()
      session.releaseAll()
    }
    const snapshot = exportAccount(account, registry, clock.monotonic())
    registry.evict(jid)
    for (const session of account.sessions.values()) {
      mirror?.leaves(session, placement.memberOf(jid))
      session.isEnded = true
      binding.sessions.remove(session)
      if (session.management !== undefined) streams.release(session.management)
    }
    return snapshot
  }

  async takeOver(snapshot: AccountSnapshot): Promise<void> {
    const { binding, loader, mirror, registry, repeats, streams } = this.#ports
    const { sessionSlots } = loader
    const account = await importAccount(snapshot, { registry, sessionSlots, sessionPorts: binding.sessionPorts, streams, repeats })
    registry.install(account)
    for (const session of account.sessions.values()) {
      binding.install(session)
      mirror?.moved(session)
    }
  }

  /** As `takeOver`, from a member that lives on and says when what it handled last is safe. */
  async takeOverFrom(owner: MemberId, given: unknown): Promise<void> {
    const snapshot = given as AccountSnapshot
    const promises = new Map<string, Promise<void>>()
    for (const { resourcepart, stream } of snapshot.sessions) {
      if (stream?.unsafe === undefined) continue
      // Before anything is awaited: the word may come while the account is taken in.
      const { promise, resolve } = Promise.withResolvers<void>()
      promises.set(resourcepart, promise)
      this.#unsafe.set(`${snapshot.account}/${resourcepart}`, { owner, resolve })
    }
    await this.takeOver(snapshot)
    const sessions = this.#ports.registry.warm(parseJid(snapshot.account))?.sessions
    for (const { resourcepart, stream } of snapshot.sessions) {
      const inbound = sessions?.get(resourcepart)?.management?.inbound
      const promise = promises.get(resourcepart)
      if (inbound === undefined || promise === undefined || stream?.unsafe === undefined) continue
      inbound.reopen(stream.unsafe, promise)
      // The client may have asked the old owner, who does not answer any more.
      inbound.owe()
    }
  }

  /** The old owner's word: what the session's client had sent is safe. */
  stanzasSafe(session: string): void {
    this.#unsafe.get(session)?.resolve()
    this.#unsafe.delete(session)
  }

  /** Gives every account that belongs to another member to it. Nothing new comes for them any more. */
  async handOverMoved(): Promise<void> {
    const { bus, log, placement, registry } = this.#ports
    const isMoved = (jid: Jid) => placement.memberOf(jid) !== bus.memberId
    await this.#untilLoaded(isMoved)
    const moved = [...registry.all()].filter(({ jid }) => isMoved(jid))
    for (const account of moved) {
      const work = new DurableWork()
      this.#leaving.run({ account, waitFor: work.waitFor })
      await work.promise?.catch((error: unknown) => log.error('account-leaves-unsaved', { account: account.jid.toString(), error }))
      for (const { management } of account.sessions.values()) await management?.again?.idle()
      const snapshot = this.handOver(account.jid)
      if (snapshot === undefined) continue
      const owner = placement.memberOf(account.jid)
      // Plain data by its declaration; its interface type cannot say so.
      bus.send(owner, { kind: 'take-over', snapshot: snapshot as unknown as Json })
      for (const { jid, management } of account.sessions.values()) {
        void management?.inbound.settled()?.then(() => bus.send(owner, { kind: 'stanzas-safe', session: jid.toString() }))
      }
    }
  }

  /** Waits until no such account is being loaded: whoever asked for it is served before it leaves. */
  async #untilLoaded(isMoved: (jid: Jid) => boolean): Promise<void> {
    const { clock, registry } = this.#ports
    for (let look = 0; look < LOOKS_MAX && registry.isLoading(isMoved); look++) {
      await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve))
    }
  }

  // ------------------------------------------------------------------------------------ members that died

  /** Members died at these times, ms since the Unix epoch. */
  noteDeaths(deaths: readonly number[]): void {
    this.#ports.repeats.noteDeaths(deaths)
  }

  /** The connections of a member are lost. */
  edgeGone(member: MemberId): void {
    const { binding, clock, components, streams } = this.#ports
    components.edgeGone(member)
    this.#giveUpUnsafe(member)
    const sessions = binding.sessions.ofEdge(member)
    const some = () => {
      for (const session of sessions.splice(0, LOST_PER_TURN)) streams.lost(session)
      if (sessions.length > 0) clock.soon(some)
    }
    some()
  }

  /** Whether what their clients sent is safe nobody will say: they find out by coming back. */
  #giveUpUnsafe(owner: MemberId): void {
    for (const [name, unsafe] of this.#unsafe) {
      if (unsafe.owner !== owner) continue
      this.#unsafe.delete(name)
      const jid = parseJid(name)
      const session = this.#ports.registry.warm(jid.bare)?.sessions.get(jid.resourcepart)
      if (session !== undefined) this.#giveUp(session)
    }
  }

  /** Its client is to come back for what it was told, and send the rest again. */
  #giveUp(session: LocalSession): void {
    const { repeats, streams } = this.#ports
    const { management } = session
    if (management !== undefined) {
      management.again = repeats.sentAgain(management.inbound.handled)
      management.inbound.rollBack()
    }
    session.closeStream('reset', 'The server lost track of the stream')
    streams.lost(session)
  }

  /** Goes on with a session that `edge` holds and whose core died. */
  restore(edge: MemberId, message: RestoreSession): Promise<void> {
    const record = JSON.parse(message.record) as MirroredRecord
    return this.#withAccount(message.account, record, (account) => {
      if (account === undefined) {
        // Removed meanwhile, or storage has trouble: the client finds out by coming back.
        this.#ports.bus.send(edge, { kind: 'close-stream', conn: message.conn, condition: 'reset', text: 'The account cannot be loaded' })
      } else this.#restoreTo(account, edge, record, message)
    })
  }

  #restoreTo(account: LocalAccount, edge: MemberId, record: MirroredRecord, message: RestoreSession): void {
    const { binding, clock, loader, mirror, streams } = this.#ports
    const { conn, recent, stream } = message
    const older = account.sessions.get(record.resourcepart)
    if (older !== undefined) binding.end(older, 'replaced', 'conflict', 'Replaced by a new connection')
    const place = { ...record, edge, conn }
    const session = importSession(account, place, { sessionSlots: loader.sessionSlots, sessionPorts: binding.sessionPorts })
    account.addSession(record.resourcepart, session)
    const unacked: Stanza[] = []
    if (stream !== undefined) {
      const entries = stream.unacked.map((wire): QueueEntry => {
        const stanza = readMessage(wire)
        if (stanza === undefined) return wire
        unacked.push(stanza)
        return new DeliveredStanza(stanza, wire, clock.now(), [session])
      })
      streams.adopt(session, stream, entries, undefined)
    }
    binding.install(session)
    mirror?.restored(session)
    const received = recent.map(readMessage).filter((stanza) => stanza !== undefined)
    this.#restored.run({ session, unacked, received })
  }

  /** Waits for the clients of sessions that died with their core; nobody else notices. Settles when they are here. */
  async adopt({ sessions }: AdoptSessions): Promise<void> {
    await Promise.all(sessions.map((lost) => {
      const record = JSON.parse(lost.record) as MirroredRecord
      return this.#withAccount(parseJid(lost.key).bare.toString(), record, (account) => {
        if (account !== undefined) this.#adopt(account, record, lost)
      })
    }))
  }

  #adopt(account: LocalAccount, record: MirroredRecord, { handled, since }: AdoptSessions['sessions'][number]): void {
    const { binding, clock, loader, mirror, repeats, streams } = this.#ports
    const { resourcepart, resumable } = record
    if (resumable === undefined || account.sessions.has(resourcepart)) return
    const session = importSession(account, record, { sessionSlots: loader.sessionSlots, sessionPorts: binding.sessionPorts })
    account.addSession(resourcepart, session)
    const { detachedAt, resumeMs, token } = resumable
    const detachedForMs = detachedAt === null ? 0 : Math.max(0, clock.now() - detachedAt)
    const stream = streams.adoptLost(session, { token, resumeMs, handled, since }, detachedForMs)
    if (stream === undefined) return binding.unbind(session, 'lost')
    stream.again = repeats.sentAgain((handled + SENT_AGAIN_MAX) >>> 0)
    this.#adopted.run({ session, since })
    // Now that what it lacks is on its way to the queue, nobody takes the empty queue for a client that has everything.
    if (detachedAt === null) streams.lostWithMember(session)
    mirror?.moved(session)
  }

  /** Ends sessions that died with their core: their contacts are told. */
  bury({ sessions }: BurySessions): void {
    const { binding, loader } = this.#ports
    for (const { key, record: text } of sessions) {
      const record = JSON.parse(text) as MirroredRecord
      void this.#withAccount(parseJid(key).bare.toString(), record, (account) => {
        // Its client may be back already: then nobody went away.
        if (account === undefined || account.sessions.has(record.resourcepart)) return
        const session = importSession(account, record, { sessionSlots: loader.sessionSlots, sessionPorts: binding.sessionPorts })
        account.addSession(record.resourcepart, session)
        binding.unbind(session, 'lost')
      })
    }
  }

  #withAccount(text: string, { isTemporary }: MirroredRecord, use: (account: LocalAccount | undefined) => void): Promise<void> {
    const { registry } = this.#ports
    return new Promise((resolve, reject) => {
      const waiter = (account: LocalAccount | undefined) => {
        try {
          resolve(use(account))
        } catch (error) {
          reject(error)
        }
      }
      if (isTemporary) registry.useTemporary(parseJid(text), waiter)
      else registry.use(parseJid(text), waiter)
    })
  }

  /** A request whose receiver died: whether it was carried out nobody knows. */
  giveUp(request: Stanza): void {
    const reply = errorReply(request, new StanzaError('remote-server-timeout', 'The server that handles this is restarting', { type: 'wait' }))
    if (reply !== undefined) this.#ports.reply(reply)
  }
}

/** A message of a wire string; undefined for other stanzas. */
function readMessage(wire: string): Stanza | undefined {
  if (!wire.startsWith('<message')) return undefined
  const frame = scanDocument(latin1ToBytes(`<message xmlns='jabber:client'${wire.slice('<message'.length)}`), defaultLimits)
  const [from, to] = [frame.attributeWire('from'), frame.attributeWire('to')]
  return stanzaFromFrame(frame, from === undefined ? undefined : parseJidWire(from), to === undefined ? undefined : parseJidWire(to))
}
