/**
 * A worker: one member with its edge and its core, in a process of its own.
 *
 * It lives as long as the supervisor wants it. Without the supervisor there is no storage, so it ends at once when that is
 * gone; nothing is lost by it that was acknowledged.
 */
import { join } from 'node:path'
import type { ServerControl } from '@rollcall/module-api'
import type { Json, MemberId } from '@rollcall/ports'
import { createOperations, isOperationName, perform, toFailure } from '../admin/index.ts'
import type { Operations } from '../admin/index.ts'
import type { ServerConfig } from '../config/index.ts'
import { RollcallError } from '../config/index.ts'
import { makeRuntime, operationsPorts, software, startWorker, SUPERVISOR } from '../main.ts'
import type { RunningWorker, Runtime } from '../main.ts'
import type { Operate, OperateReply } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import { exitProcess, giveMemoryBack, memoryBytes, ownPid } from '../runtime/index.ts'
import type { ParentPort } from '../runtime/index.ts'
import type { Seat, ToSupervisor, ToWorker } from './messages.ts'
import { openPassage } from './passage.ts'
import type { WorkerPassage } from './passage.ts'

/** How long it may take to reach all other members. One that just died is found out by then. */
const REACH_MS = 10_000
const REACH_LOOK_MS = 20

/** Runs until it is told to stop. */
export function runWorker(parent: ParentPort): void {
  const worker = new Worker(parent)
  parent.onMessage((message) => worker.receive(message as ToWorker))
  parent.onGone(() => exitProcess(1))
}

class Worker {
  readonly #parent: ParentPort
  #runtime: Runtime | undefined
  #running: RunningWorker | undefined
  #passage: WorkerPassage | undefined
  #operations: Operations | undefined
  #serial = 0
  readonly #reloads = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>()

  constructor(parent: ParentPort) {
    this.#parent = parent
  }

  receive(message: ToWorker): void {
    switch (message.kind) {
      case 'start':
        void this.#start(message)
        return
      case 'reload':
        void this.#reload(message.serial, message.config)
        return
      case 'reload-done':
        this.#reloadDone(message)
        return
      case 'stop':
        void this.#stop()
    }
  }

  #tell(message: ToSupervisor): void {
    this.#parent.send(message)
  }

  async #start({ config, others, seat }: ToWorker & { readonly kind: 'start' }): Promise<void> {
    const runtime = makeRuntime(config, seat.memberId)
    this.#runtime = runtime
    giveMemoryBack(runtime)
    try {
      // Whoever meets this worker on the bus may send clients.
      const passage = config.isPlacing ? await this.#openPassage(seat, runtime) : undefined
      this.#passage = passage
      const running = await startWorker(config, runtime, seat, this.#control(), ({ kind, peer: { memberId } }) => {
        if (memberId === SUPERVISOR) return
        if (kind === 'up') passage?.connect(memberId)
        else {
          passage?.forget(memberId)
          this.#tell({ kind: 'member-lost', member: memberId })
        }
      }, {
        answer: (_from, message) => this.#answer(message),
        ...(passage === undefined ? {} : { passage }),
      })
      this.#running = running
      this.#operations = this.#makeOperations(running, config, runtime)
      await this.#reachAll([SUPERVISOR, ...others], running, runtime)
      this.#tell({ kind: 'ready', listeners: running.server.edge.listeners })
    } catch (error) {
      const { code, message } = toFailure(error)
      runtime.log.error('worker-failed', { error })
      this.#tell({ kind: 'failed', code, message })
      await runtime.log.flush()
      exitProcess(1)
    }
  }

  #openPassage({ directory, memberId }: Seat, { log }: Runtime): Promise<WorkerPassage | undefined> {
    return openPassage({
      memberId, directory: join(directory, 'pass'), log,
      takeIn: (guest, conduit) => {
        if (this.#running === undefined) conduit.destroy()
        else this.#running.server.edge.takeIn(guest, conduit)
      },
    })
  }

  async #reachAll(members: readonly MemberId[], { bus }: RunningWorker, { clock }: Runtime): Promise<void> {
    const endMs = clock.monotonic() + REACH_MS
    while (clock.monotonic() < endMs && members.some((member) => !bus.peers.has(member))) {
      await new Promise<void>((resolve) => void clock.after(REACH_LOOK_MS, resolve))
    }
    // Whoever answers reaches this worker as well, and is not told of it before.
    const reached = members.filter((member) => bus.peers.has(member))
    await Promise.all(reached.map((member) => bus.request(member, { kind: 'host-info', host: '' }, REACH_MS).catch(() => {})))
    if (!bus.peers.has(SUPERVISOR)) throw new RollcallError('not-ready', 'the supervisor is not on the bus')
  }

  #control(): ServerControl {
    return {
      shutdown: (delayMs) => this.#tell({ kind: 'shutdown', delayMs }),
      reload: () => new Promise((resolve, reject) => {
        const serial = ++this.#serial
        this.#reloads.set(serial, { resolve, reject })
        this.#tell({ kind: 'ask-reload', serial })
      }),
    }
  }

  #makeOperations(running: RunningWorker, config: ServerConfig, { clock }: Runtime): Operations {
    const startedAt = clock.monotonic()
    const refuse = () => Promise.reject(new RollcallError('bad-request', 'the supervisor does this'))
    return createOperations({
      ...operationsPorts(running, config),
      facts: () => ({
        version: software.version, pid: ownPid(), hosts: config.core.hosts, sessionCount: running.server.core.sessionCount,
        memoryBytes: memoryBytes(), listeners: [], uptimeSeconds: (clock.monotonic() - startedAt) / 1000,
      }),
      reload: refuse,
      shutdown: () => this.#tell({ kind: 'shutdown', delayMs: 0 }),
    })
  }

  #answer(message: ServerMessage): Promise<unknown> | undefined {
    if (message.kind === 'metrics') return this.#runtime?.metrics.text()
    return message.kind === 'operate' ? this.#operate(message) : undefined
  }

  async #operate({ name, request }: Operate): Promise<OperateReply> {
    try {
      if (!isOperationName(name)) throw new RollcallError('bad-request', `there is no operation ${name}`)
      if (this.#operations === undefined) throw new RollcallError('not-ready', 'the worker is starting')
      return { answer: await perform(this.#operations, name, request) as Json }
    } catch (error) {
      const { code, message } = toFailure(error)
      return { code, message }
    }
  }

  async #reload(serial: number, config: ServerConfig): Promise<void> {
    try {
      if (this.#running === undefined) throw new RollcallError('not-ready', 'the worker is starting')
      await this.#running.reload(config)
      this.#tell({ kind: 'reloaded', serial })
    } catch (error) {
      const { code, message } = toFailure(error)
      this.#tell({ kind: 'reloaded', serial, failure: { code, message } })
    }
  }

  #reloadDone({ failure, serial }: ToWorker & { readonly kind: 'reload-done' }): void {
    const waiting = this.#reloads.get(serial)
    this.#reloads.delete(serial)
    if (failure === undefined) waiting?.resolve()
    else waiting?.reject(new Error(failure))
  }

  async #stop(): Promise<void> {
    try {
      await this.#running?.stop()
      this.#passage?.close()
      await this.#running?.bus.close()
    } catch (error) {
      this.#runtime?.log.error('worker-stop-failed', { error })
    }
    await this.#runtime?.log.flush()
    exitProcess(0)
  }
}
