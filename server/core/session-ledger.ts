/**
 * What the coordinator knows of sessions that die with this member (ADR 0012, 0019): there only where there are several members.
 *
 * Of most sessions it knows that they are there, so that contacts can be told. Of those whose client may resume (XEP-0198) it
 * knows all that another member needs to wait for the client: the session's record, and two numbers. `handled` is written to
 * the coordinator's socket before the client is told of it, so that whatever the client has forgotten is known to somebody:
 * what a killed process has written is still read. `since` says from when on the client may lack messages; both are told
 * again within a second while the stream is in use.
 *
 * Acknowledgements of one turn are one message and one write; clients get theirs a turn later, and not before the kernel has
 * taken that write.
 */
import type { Bus, Clock, MemberId } from '@rollcall/ports'
import { SmAnswer } from '@rollcall/protocol'
import type { StreamCounts } from '../protocol/member-messages.ts'
import type { ConnId, ServerMessage } from '../protocol/messages.ts'
import type { LocalSession } from './entities.ts'
import type { ManagedStream } from './managed-stream.ts'

export interface SessionLedgerPorts {
  readonly bus: Bus<ServerMessage>
  readonly coordinator: MemberId
  readonly clock: Clock
}

type SessionStream = ManagedStream<LocalSession>

/** An `<a/>` that waits for the coordinator to be written to. */
interface Answer {
  readonly stream: SessionStream
  readonly h: number
  /** Where it is to go: meanwhile the client may be somewhere else. */
  readonly edge: MemberId
  readonly conn: ConnId
}

/** How long what a stream has done may be unknown to the coordinator. */
const COUNT_MS = 1_000

export class SessionLedger {
  readonly #ports: SessionLedgerPorts
  /** Streams that have moved since they were told of last. */
  #moved: SessionStream[] = []
  #answers: Answer[] = []

  constructor(ports: SessionLedgerPorts) {
    this.#ports = ports
  }

  /** Enters a session, in place of what was said of it before. '' takes it out. */
  enter(session: LocalSession, record: string): void {
    const { bus, coordinator } = this.#ports
    const { management } = session
    const key = session.jid.toString()
    const isResumable = record !== '' && management !== undefined && management.token !== ''
    if (management !== undefined) management.isInLedger = isResumable
    bus.send(coordinator, isResumable ? { kind: 'ledger', key, record, stream: this.#countsOf(management) } : { kind: 'ledger', key, record })
  }

  /** The session goes to another member, which has told nobody of it yet. '' where somebody else can go on with it if that member dies. */
  bequeath(session: LocalSession, record: string, heir: MemberId): void {
    const { bus, coordinator } = this.#ports
    const { management } = session
    const counts = record === '' || management === undefined ? undefined : this.#countsOf(management)
    bus.send(coordinator, { kind: 'ledger', key: session.jid.toString(), record, heir, ...(counts && { stream: counts }) })
  }

  /** The stream is in use: the coordinator is told soon where it stands. */
  moved(stream: SessionStream): void {
    if (stream.isCountDue || !stream.isInLedger) return
    stream.isCountDue = true
    if (this.#moved.push(stream) === 1) this.#ports.clock.after(COUNT_MS, this.#tellMoved)
  }

  /** Tells the client that `h` stanzas are safe, once the coordinator cannot miss it. */
  acknowledge(stream: SessionStream, h: number): void {
    const { edge, conn } = stream.session
    if (this.#answers.push({ stream, h, edge, conn }) === 1) this.#ports.clock.soon(this.#answerAll)
  }

  /** Settles when the coordinator cannot miss what it was told. */
  written(): Promise<void> {
    const { bus, coordinator } = this.#ports
    return new Promise((resolve) => bus.afterWritten(coordinator, resolve))
  }

  /** Writes what the coordinator was told. */
  flush(): void {
    this.#ports.bus.afterWritten(this.#ports.coordinator, () => {})
  }

  readonly #tellMoved = (): void => {
    const streams = this.#moved
    this.#moved = []
    for (const stream of streams) stream.isCountDue = false
    this.#tell(streams)
  }

  readonly #answerAll = (): void => {
    const { bus, coordinator } = this.#ports
    const answers = this.#answers
    this.#answers = []
    this.#tell(answers.map(({ stream }) => stream))
    bus.afterWritten(coordinator, () => {
      for (const { stream: { session }, h, edge, conn } of answers) {
        if (session.edge === edge && session.conn === conn) session.sendNonza(SmAnswer.toWire({ handled: h }))
      }
    })
  }

  #tell(streams: readonly SessionStream[]): void {
    const counts = []
    for (const stream of streams) {
      if (stream.isInLedger && !stream.session.isEnded) counts.push({ key: stream.session.jid.toString(), ...this.#countsOf(stream) })
    }
    if (counts.length > 0) this.#ports.bus.send(this.#ports.coordinator, { kind: 'ledger-counts', counts })
  }

  #countsOf(stream: SessionStream): StreamCounts {
    return { handled: stream.inbound.safe, since: this.#sinceOf(stream) }
  }

  /** What is kept back by a hold, or came from a log, is older than when it was put into the queue. */
  #sinceOf(stream: SessionStream): number {
    const { queue, session } = stream
    if (session.isHeld || (stream.isBehind && queue.length > 0)) return stream.since
    stream.isBehind = false
    const oldest = queue.oldestMessageAt
    if (!Number.isNaN(oldest)) stream.since = Math.min(oldest, this.#ports.clock.now())
    return stream.since
  }
}
