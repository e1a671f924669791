/** What the supervisor and a worker say to each other directly: its life, not its work, which goes over the bus. */
import type { ServerConfig } from '../config/index.ts'
import type { BoundListener } from '../edge/listeners.ts'

/** Who a worker is, and where it meets the others. */
export interface Seat {
  readonly memberId: string
  /** Differs at every start. */
  readonly bootId: string
  /** Folder of the sockets between the processes. */
  readonly directory: string
}

export type ToWorker =
  /** First, once. `others`: members that it has to reach before it is ready. */
  | { readonly kind: 'start'; readonly seat: Seat; readonly config: ServerConfig; readonly others: readonly string[] }
  | { readonly kind: 'reload'; readonly serial: number; readonly config: ServerConfig }
  /** The answer to `ask-reload`. */
  | { readonly kind: 'reload-done'; readonly serial: number; readonly failure?: string }
  | { readonly kind: 'stop' }

export type ToSupervisor =
  | { readonly kind: 'ready'; readonly listeners: readonly BoundListener[] }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'reloaded'; readonly serial: number; readonly failure?: { readonly code: string; readonly message: string } }
  /** An administrator asked over XMPP. */
  | { readonly kind: 'shutdown'; readonly delayMs: number }
  | { readonly kind: 'ask-reload'; readonly serial: number }
  /** The connection to another member broke. */
  | { readonly kind: 'member-lost'; readonly member: string }
