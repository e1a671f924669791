/**
 * Starts workers, starts them again when they die, and knows which of them are members.
 *
 * One worker starts at a time: the next one is told of all others, and joins when it reaches them. A worker that died is
 * out of the map when nothing that it sent can still be on its way: its process has ended, and bus and storage have read its
 * last byte.
 */
import type { MemberId } from '@rollcall/ports'
import { RollcallError, errorTable } from '../config/index.ts'
import type { ErrorCode, ServerConfig } from '../config/index.ts'
import type { BoundListener } from '../edge/listeners.ts'
import type { OnLine, Runtime } from '../main.ts'
import type { ChildProcessPort } from '../runtime/index.ts'
import type { Coordinator } from './coordinator.ts'
import type { ToSupervisor, ToWorker } from './messages.ts'
import { configOfWorker } from './share.ts'

export interface SupervisorPorts {
  readonly runtime: Runtime
  readonly count: number
  readonly directory: string
  readonly coordinator: Coordinator
  readonly newId: () => string
  readonly fork: () => ChildProcessPort
  /** An administrator asked over XMPP. */
  readonly shutdown: (delayMs: number) => void
  readonly reload: () => Promise<void>
}

/** Between two starts of a worker that keeps dying. */
const BACKOFF_MIN_MS = 100
const BACKOFF_MAX_MS = 10_000
/** A worker that lived so long died of something else than its start. */
const SOUND_MS = 60_000
/** A start that takes longer has failed. */
const START_MS_MAX = 60_000
/** Longer than clients are drained and sessions stored. */
const STOP_MS_MAX = 45_000

interface Worker {
  readonly slot: number
  readonly id: MemberId
  readonly process: ChildProcessPort
  readonly startedMs: number
  /** Settles when it is ready; rejects when it cannot be. */
  readonly ready: PromiseWithResolvers<readonly BoundListener[]>
  /** Settles when its process has ended. */
  readonly ended: Promise<void>
  /** What has not read all that it sent. */
  readonly lines: Set<Parameters<OnLine>[0]>
  hasEnded: boolean
  hasLeft: boolean
}

export class Supervisor {
  readonly #ports: SupervisorPorts
  readonly #workers = new Map<MemberId, Worker>()
  readonly #starts: number[] = []
  readonly #backoffMs: number[] = []
  readonly #reloads = new Map<number, PromiseWithResolvers<void>>()
  readonly #restarts
  #config: ServerConfig
  #bound: readonly BoundListener[] = []
  /** One start after the other. */
  #line: Promise<void> = Promise.resolve()
  #serial = 0
  #isStopping = false

  constructor(config: ServerConfig, ports: SupervisorPorts) {
    this.#config = config
    this.#ports = ports
    const { metrics } = ports.runtime
    this.#restarts = metrics.counter('rollcall_worker_restarts_total', 'Workers started again after they died.')
    metrics.observedGauge('rollcall_workers', 'Workers that are members.', () => ports.coordinator.members.length)
    metrics.observedGauge('rollcall_session_ledger', 'Sessions known by the process that supervises.', () => ports.coordinator.ledgerSize)
  }

  get listeners(): readonly BoundListener[] {
    return this.#bound
  }

  /** Starts all workers, one after the other; rejects when one cannot start. */
  async start(): Promise<void> {
    for (let slot = 1; slot <= this.#ports.count; slot++) await this.#startOne(slot)
  }

  /** Bus and storage say who is there. */
  readonly line: OnLine = (line, member, isThere) => {
    const worker = this.#workers.get(member)
    if (worker === undefined) return
    if (isThere) worker.lines.add(line)
    else worker.lines.delete(line)
    // A bus that broke under a living process lost messages: that cannot be mended but by starting anew.
    if (line === 'bus' && !isThere && !worker.hasEnded) this.kill(member)
    this.#leaveIfOver(worker)
  }

  /** Ends a worker that does not do its part. */
  kill(member: MemberId): void {
    const worker = this.#workers.get(member)
    if (worker === undefined || worker.hasEnded || this.#isStopping) return
    this.#ports.runtime.log.error('worker-killed', { worker: member })
    worker.process.kill()
  }

  /** New configuration for all; rejects when one of them does not take it. */
  async reload(config: ServerConfig): Promise<void> {
    this.#config = config
    await Promise.all([...this.#workers.values()].filter(({ hasEnded }) => !hasEnded).map((worker) => {
      const serial = ++this.#serial
      const done = Promise.withResolvers<void>()
      this.#reloads.set(serial, done)
      this.#tell(worker, { kind: 'reload', serial, config: this.#configOf(config) })
      void worker.ended.then(() => done.resolve())
      return done.promise.finally(() => this.#reloads.delete(serial))
    }))
  }

  /** Ends all workers in order. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const { clock } = this.#ports.runtime
    const workers = [...this.#workers.values()]
    for (const worker of workers) this.#tell(worker, { kind: 'stop' })
    const timer = clock.after(STOP_MS_MAX, () => {
      for (const { hasEnded, process } of workers) if (!hasEnded) process.kill()
    })
    await Promise.all(workers.map(({ ended }) => ended))
    timer.cancel()
  }

  #configOf(config: ServerConfig): ServerConfig {
    return configOfWorker(config, this.#ports.count, this.#bound)
  }

  #tell(worker: Worker, message: ToWorker): void {
    worker.process.send(message)
  }

  #startOne(slot: number): Promise<void> {
    const started = this.#line.then(() => (this.#isStopping ? undefined : this.#launch(slot)))
    this.#line = started.catch(() => {})
    return started
  }

  async #launch(slot: number): Promise<void> {
    const { clock, log } = this.#ports.runtime
    const worker = this.#fork(slot)
    const { coordinator, directory, newId } = this.#ports
    this.#tell(worker, {
      kind: 'start', config: this.#configOf(this.#config), others: coordinator.members,
      seat: { memberId: worker.id, bootId: newId(), directory },
    })
    const timer = clock.after(START_MS_MAX, () => this.kill(worker.id))
    try {
      const listeners = await worker.ready.promise
      if (this.#bound.length === 0) this.#bound = listeners
      log.info('worker-started', { worker: worker.id, pid: worker.process.pid })
      coordinator.join(worker.id)
    } finally {
      timer.cancel()
    }
  }

  #fork(slot: number): Worker {
    const start = (this.#starts[slot] ?? 0) + 1
    this.#starts[slot] = start
    // A member is one life of a process: what is meant for the dead never reaches their successors.
    const id = start === 1 ? `worker-${slot}` : `worker-${slot}.${start}`
    const { clock } = this.#ports.runtime
    const process = this.#ports.fork()
    const ended = Promise.withResolvers<void>()
    const worker: Worker = {
      slot, id, process, startedMs: clock.monotonic(), ready: Promise.withResolvers(), ended: ended.promise, lines: new Set(), hasEnded: false, hasLeft: false,
    }
    this.#workers.set(id, worker)
    process.onMessage((message) => this.#receive(worker, message as ToSupervisor))
    process.onExit((how) => {
      worker.hasEnded = true
      worker.ready.reject(new RollcallError('internal', `worker ${id} ended with ${how} while it started`))
      ended.resolve()
      this.#ended(worker, how)
    })
    return worker
  }

  #receive(worker: Worker, message: ToSupervisor): void {
    switch (message.kind) {
      case 'ready':
        worker.ready.resolve(message.listeners)
        return
      case 'failed':
        worker.ready.reject(failureOf(message))
        return
      case 'reloaded': {
        const done = this.#reloads.get(message.serial)
        if (message.failure === undefined) done?.resolve()
        else done?.reject(failureOf(message.failure))
        return
      }
      case 'shutdown':
        this.#ports.shutdown(message.delayMs)
        return
      case 'ask-reload':
        void this.#ports.reload().then(
          () => this.#tell(worker, { kind: 'reload-done', serial: message.serial }),
          (error: unknown) => this.#tell(worker, { kind: 'reload-done', serial: message.serial, failure: String(error) }),
        )
        return
      case 'member-lost':
        // Told of a death it is late; told of a living one, one of the two has to go.
        this.kill(message.member)
    }
  }

  #ended(worker: Worker, how: string): void {
    const { clock, log } = this.#ports.runtime
    if (this.#isStopping) return
    log.error('worker-died', { worker: worker.id, how })
    const livedMs = clock.monotonic() - worker.startedMs
    this.#backoffMs[worker.slot] = livedMs >= SOUND_MS ? BACKOFF_MIN_MS : Math.min(BACKOFF_MAX_MS, (this.#backoffMs[worker.slot] ?? BACKOFF_MIN_MS / 2) * 2)
    this.#leaveIfOver(worker)
  }

  #leaveIfOver(worker: Worker): void {
    if (!worker.hasEnded || worker.lines.size > 0 || worker.hasLeft || this.#isStopping) return
    worker.hasLeft = true
    const { coordinator, runtime: { clock } } = this.#ports
    this.#workers.delete(worker.id)
    coordinator.leave(worker.id)
    clock.after(this.#backoffMs[worker.slot] ?? BACKOFF_MIN_MS, () => this.#restart(worker.slot))
  }

  #restart(slot: number): void {
    if (this.#isStopping) return
    this.#restarts.add(1)
    this.#startOne(slot).catch((error: unknown) => this.#ports.runtime.log.error('worker-not-started', { slot, error }))
  }
}

function failureOf({ code, message }: { readonly code: string; readonly message: string }): RollcallError {
  return new RollcallError(code in errorTable ? code as ErrorCode : 'internal', message)
}
