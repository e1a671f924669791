/** Other processes of this server: the one that started this one, and those that this one starts. */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** A process that this one started. Messages are data as the structured clone algorithm knows it. */
export interface ChildProcessPort {
  readonly pid: number
  /** What is sent to a process that has ended is lost. */
  send(message: unknown): void
  onMessage(handler: (message: unknown) => void): void
  /** `how`: for people. Called once. */
  onExit(handler: (how: string) => void): void
  /** Ends it at once. */
  kill(): void
}

/** The process that started this one. */
export interface ParentPort {
  send(message: unknown): void
  onMessage(handler: (message: unknown) => void): void
  /** It is gone, or does not want to know of this one any more. */
  onGone(handler: () => void): void
}

/** Starts `script` on this Node with its flags, and further ones that go before them; it shares standard output and error. */
export function forkChild(script: URL, flags: readonly string[] = []): ChildProcessPort {
  const names = flags.map(nameOfFlag)
  const execArgv = [...process.execArgv.filter((flag) => !names.includes(nameOfFlag(flag))), ...flags]
  const child = fork(script, [], { execArgv, serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  // Without a listener a message to a process that has just ended would end this one.
  child.on('error', () => {})
  return {
    pid: child.pid ?? 0,
    send: (message) => {
      if (child.connected) child.send(message as object, () => {})
    },
    onMessage: (handler) => void child.on('message', handler),
    onExit: (handler) => void child.once('exit', (code, signal) => handler(signal === null ? `status ${code}` : `signal ${signal}`)),
    kill: () => void child.kill('SIGKILL'),
  }
}

function nameOfFlag(flag: string): string {
  return flag.split('=', 1)[0] ?? flag
}

/** Undefined when nobody started this process as a child of the server. */
export function parentPort(): ParentPort | undefined {
  if (process.send === undefined) return undefined
  return {
    // Without a callback a message to a parent that has just ended would be an error of this process.
    send: (message) => void process.send?.(message, undefined, undefined, () => {}),
    onMessage: (handler) => void process.on('message', handler),
    onGone: (handler) => void process.once('disconnect', handler),
  }
}

/** Ends this process. */
export function exitProcess(status: number): never {
  process.exit(status)
}

/** Signals that are meant for the process that started this one reach this one too. */
export function leaveSignalsToParent(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
}

/** Cores that this process may use. */
export function coreCount(): number {
  return availableParallelism()
}

export function ownPid(): number {
  return process.pid
}

/** Resident memory of this process, in bytes. */
export function memoryBytes(): number {
  return process.memoryUsage.rss()
}

/** Processor time of this process with all its threads, in seconds. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
