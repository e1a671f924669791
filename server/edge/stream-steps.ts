/** Steps that streams take whichever way their clients log in: waiting for the core, failed attempts, requests that bind. */
import type { Jid } from '@rollcall/jid'
import type { SaslFailed } from '@rollcall/stream'
import { XmlError } from '@rollcall/xml'
import type { Connection } from './connection.ts'
import type { Hub } from './hub.ts'
import { HOLD_BUSY, HOLD_MOVE } from './stages.ts'

/** What follows an answer; a promise when it takes another one. */
type Next<T> = (value: T) => Promise<void> | void

/** Holds the connection until `promise` settles, then goes on if the stream still is open, and holds it until that is done too. */
export function holdUntil<T>(hub: Hub, connection: Connection, promise: Promise<T>, next: Next<T>): void {
  connection.hold(HOLD_BUSY)
  void goOn(hub, connection, promise, next)
}

async function goOn<T>(hub: Hub, connection: Connection, promise: Promise<T>, next: Next<T>): Promise<void> {
  try {
    const value = await promise
    const further = connection.isOpen ? next(value) : undefined
    if (further !== undefined) await further
  } catch (error) {
    hub.ports.log.warn('negotiation-failed', { conn: connection.id, error })
    // XmlError: what the core answered cannot be written; anything else: the core did not answer.
    connection.fail({ condition: error instanceof XmlError ? 'internal-server-error' : 'resource-constraint' })
  } finally {
    connection.release(HOLD_BUSY)
  }
}

/** Counts and logs a failed attempt; what the client is told is the caller's. */
export function noteFailure(hub: Hub, connection: Connection, { condition, cause }: SaslFailed): void {
  const { guard, metrics, ports } = hub
  metrics.auth(condition)
  // What tools that watch for intruders read; how often it is written is bounded by attempts and back-off.
  ports.log.info('auth-failed', { conn: connection.id, address: connection.address, host: connection.host?.toString(), condition })
  if (cause !== undefined) ports.log.warn('auth-question-failed', { conn: connection.id, error: cause })
  if (!countsAgainstAddress(condition)) return
  guard.authFailed(connection.address, ports.clock.monotonic())
  // The kernel would let an address guess at each member in turn.
  for (const other of ports.carrier?.others ?? []) ports.bus.send(other, { kind: 'address-failed', address: connection.address })
}

/** Guessing and knocking count; giving up, tokens that were good once and our own trouble do not. */
function countsAgainstAddress(condition: string): boolean {
  return condition !== 'aborted' && condition !== 'temporary-auth-failure' && condition !== 'credentials-expired'
}

/**
 * The core's answer to a request that gives `connection` a session. Whether or not it arrives, and whether or not the client
 * still is there: no session may stay behind, so `undo` is called unless both.
 */
export async function sessionOrUndo<T>(
  connection: Connection, request: Promise<unknown>, isMade: (reply: T) => boolean, undo: () => void,
): Promise<T> {
  try {
    const reply = await request as T
    if (isMade(reply) && !connection.isOpen) undo()
    return reply
  } catch (error) {
    undo()
    throw error
  }
}

/** Stanzas flow from now on; `first` is a stanza or ''. */
export function startStanzas(hub: Hub, connection: Connection, jid: Jid, first: string): void {
  const { ports, metrics, stanzaLimits } = hub
  metrics.negotiationSeconds.observe((ports.clock.monotonic() - connection.acceptedMs) / 1000)
  if (ports.carrier?.isMoving(jid) === true) connection.hold(HOLD_MOVE)
  connection.becomeBound(jid, ports.placement.memberOf(jid), stanzaLimits, first)
}
