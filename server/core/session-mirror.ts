/**
 * Keeps sessions known elsewhere, so that they outlive this core (ADR 0012): there only where there are several members.
 *
 * A session is mirrored where somebody is left when this member dies: at the edge that holds its connection, if that is
 * another member; the edge then announces it to the next core, as if nothing had happened. A session that goes with this
 * member is entered in the coordinator's ledger (`session-ledger.ts`): as a whole when its client may resume it, else with what is
 * needed to tell its contacts.
 *
 * The mirror has what a session consists of (`SessionRecord`), told anew when it has changed, once per turn. It is told
 * before the stanza that changed it is confirmed to the edge, so that the edge sends again exactly what its copy lacks.
 */
import { sessionBound, sessionDetached, sessionResumed, sessionUnbound } from '@rollcall/module-api'
import type { Bus, Clock, MemberId } from '@rollcall/ports'
import { encodeStanza, presence } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { StreamMirror } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import type { LocalSession } from './entities.ts'
import type { HookChains } from './hook-chains.ts'
import type { SessionLedger } from './session-ledger.ts'
import { recordOf } from './snapshot.ts'
import type { SessionRecord } from './snapshot.ts'
import { wireOf } from './unacked-queue.ts'

export interface SessionMirrorPorts {
  readonly bus: Bus<ServerMessage>
  readonly ledger: SessionLedger
  readonly clock: Clock
  readonly hooks: HookChains
}

/** What is written of a session: its record, and whether its account is one of an ANONYMOUS login. */
export interface MirroredRecord extends SessionRecord {
  readonly isTemporary: boolean
  /** In the ledger, when its client may resume it. `detachedAt`: since when it is expected, ms since the Unix epoch; null while connected. */
  readonly resumable?: { readonly token: string; readonly resumeMs: number; readonly detachedAt: number | null }
}

interface Mirrored {
  /** A member, or '' for the ledger. */
  place: MemberId
  text: string
  hasStream: boolean
}

export class SessionMirror {
  readonly #ports: SessionMirrorPorts
  readonly #mirrored = new WeakMap<LocalSession, Mirrored>()
  #due = new Set<LocalSession>()

  constructor(ports: SessionMirrorPorts) {
    this.#ports = ports
    const { hooks } = ports
    const name = 'session-mirror'
    // Hooks give sessions as modules know them; in a core they are all its own.
    hooks.observe(sessionBound).add(name, 'late', ({ session }) => this.tell(session as LocalSession))
    hooks.observe(sessionResumed).add(name, 'late', ({ session }) => this.#tell(session as LocalSession, true))
    hooks.observe(sessionDetached).add(name, 'late', ({ session }) => this.#detached(session as LocalSession))
    hooks.observe(sessionUnbound).add(name, 'late', ({ session }) => this.ended(session as LocalSession))
  }

  /** The client did something that may have changed the session. `stanza`: what it was, if it was one. */
  changed(session: LocalSession, stanza?: Stanza): void {
    this.counted(session)
    if (stanza?.kind === 'message' || session.isEnded) return
    const known = this.#mirrored.get(session)
    // Of who cannot come back the ledger needs to know whether they are available, not how: changes of that are what is frequent.
    const isPresence = stanza?.kind === 'presence' && stanza.to === undefined && session.presence !== undefined
    if (known?.place === '' && isPresence && !isResumable(session) && known.text.includes('"isAway":false')) return
    this.#due.add(session)
    if (this.#due.size === 1) this.#ports.clock.soon(this.#tellAll)
  }

  /** The client did something that moved the counters of its stream at most. */
  counted({ management }: LocalSession): void {
    if (management !== undefined) this.#ports.ledger.moved(management)
  }

  /** Tells at once what has changed. */
  tell(session: LocalSession): void {
    // Of one that is bound here and has done nothing yet, nobody would have to be told: most logins are one entry, not two.
    if (this.#placeOf(session) === '' && session.presence === undefined && !isResumable(session) && !this.#mirrored.has(session)) return
    this.#tell(session, false)
  }

  /** Stream management has begun; its client does not know yet. */
  begun(session: LocalSession): void {
    if (!isResumable(session)) return
    this.tell(session)
    if (session.management?.isInLedger === true) this.#ports.ledger.flush()
  }

  /** The session came with its account from another member: whoever mirrors it starts anew. */
  moved(session: LocalSession): void {
    this.#mirrored.delete(session)
    this.#tell(session, true, true)
  }

  /** The session came here after the death of its core. What its client has sent the edge knows better: some of it comes again. */
  restored(session: LocalSession): void {
    this.#mirrored.delete(session)
    this.#tell(session, true)
  }

  /**
   * The session goes with its account to another member. Until that one has told of it, somebody is to know it should it die: the edge here,
   * where its connection is, or the coordinator, where there is none.
   */
  leaves(session: LocalSession, heir: MemberId): void {
    const { bus, ledger } = this.#ports
    this.#due.delete(session)
    const known = this.#mirrored.get(session)
    this.#mirrored.delete(session)
    if (this.#placeOf(session) !== '') return
    if (session.isAttached) {
      const stream = streamOf(session)
      bus.send(bus.memberId, { kind: 'session-state', conn: session.conn, record: recordText(session), isMoved: true, ...(stream && { stream }) })
    }
    if (known !== undefined) ledger.bequeath(session, session.isAttached ? '' : this.#ledgerText(session), heir)
  }

  /** The session is over. */
  ended(session: LocalSession): void {
    this.#due.delete(session)
    if (this.#mirrored.get(session)?.place === '') this.#enter(session, '')
    this.#mirrored.delete(session)
  }

  readonly #tellAll = (): void => {
    const due = this.#due
    this.#due = new Set()
    for (const session of due) if (!session.isEnded) this.#tell(session, false)
  }

  #tell(session: LocalSession, isAnew: boolean, isMoved = false): void {
    const { bus } = this.#ports
    const place = this.#placeOf(session)
    const known = this.#mirrored.get(session)
    const text = place === '' ? this.#ledgerText(session) : recordText(session)
    const startsStream = place !== '' && session.management !== undefined && (isAnew || known?.hasStream !== true || known.place !== place)
    if (known?.place === '' && place !== '') this.#enter(session, '')
    if (known?.place === place && known.text === text && !startsStream) return
    this.#mirrored.set(session, { place, text, hasStream: place !== '' && session.management !== undefined })
    if (place === '') {
      this.#enter(session, text)
      return
    }
    const stream = startsStream ? streamOf(session) : undefined
    bus.send(place, {
      kind: 'session-state', conn: session.conn, record: text,
      ...(stream === undefined ? {} : { stream }), ...(isMoved ? { isMoved } : {}),
    })
  }

  /** The member that mirrors it; '' for the ledger. */
  #placeOf({ edge, isAttached }: LocalSession): MemberId {
    return isAttached && edge !== this.#ports.bus.memberId ? edge : ''
  }

  #enter(session: LocalSession, record: string): void {
    this.#ports.ledger.enter(session, record)
  }

  /** Nothing comes from its client now: what of it is safe in the end is all that there is to know. */
  #detached(session: LocalSession): void {
    this.tell(session)
    void session.management?.inbound.settled()?.then(() => this.counted(session))
  }

  #ledgerText(session: LocalSession): string {
    const { clock } = this.#ports
    const { management } = session
    if (management === undefined || !isResumable(session)) return briefText(session)
    const { token, resumeMs, detachedAtMs } = management
    const detachedAt = detachedAtMs === undefined ? null : Math.round(clock.now() - (clock.monotonic() - detachedAtMs))
    return JSON.stringify({ ...recordOf(session), isTemporary: session.account.isTemporary, resumable: { token, resumeMs, detachedAt } })
  }
}

function isResumable({ management }: LocalSession): boolean {
  return management !== undefined && management.token !== ''
}

function recordText(session: LocalSession): string {
  return JSON.stringify({ ...recordOf(session), isTemporary: session.account.isTemporary })
}

/** What is needed to end the session properly: of its presence, that there is one. */
function briefText(session: LocalSession): string {
  const isAway = session.presence === undefined
  const record = { ...recordOf(session), presence: isAway ? null : encodeStanza(presence(session.jid, undefined, '')) }
  return JSON.stringify({ ...record, isTemporary: session.account.isTemporary, isAway })
}

function streamOf({ management }: LocalSession): StreamMirror | undefined {
  if (management === undefined) return undefined
  const { inbound, queue, resumeMs, token } = management
  return { token, resumeMs, handled: inbound.handled, acked: queue.acked, unacked: [...queue.entries()].map(wireOf) }
}
