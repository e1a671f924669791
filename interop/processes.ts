/**
 * Child processes of the interop suites: each ends when its time is up, by its own process id, and what it printed is
 * kept for the report of a failure.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

/** Characters of output kept of one process: the last ones. */
const OUTPUT_CHARACTERS_MAX = 200_000

/** The last characters that a process wrote, standard output and error together, in the order read. */
export interface OutputTail {
  text(): string
  /** The last `count` lines. */
  lines(count: number): string
}

/** Collects what `child` writes. */
export function collectOutput(child: ChildProcess): OutputTail {
  let collected = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      collected = (collected + text).slice(-OUTPUT_CHARACTERS_MAX)
    })
  }
  return { text: () => collected, lines: (count) => collected.trimEnd().split('\n').slice(-count).join('\n') }
}

/** Resolves with true when `child` has ended, with false when it has not after `timeoutMs`. */
export function ended(child: ChildProcess, timeoutMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true)
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.off('exit', onExit)
      resolve(false)
    }, timeoutMs)
    const onExit = () => {
      clearTimeout(timer)
      resolve(true)
    }
    child.once('exit', onExit)
  })
}

export interface RunOptions {
  /** The whole environment; that of this process unless told. */
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly timeoutMs: number
}

export interface RunResult {
  /** Null when a signal ended it, as when its time was up. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end; after `timeoutMs` it is killed, and the result has no exit code. */
export function runProgram(program: string, args: readonly string[], { env = process.env, input = '', timeoutMs }: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, timeout: timeoutMs, killSignal: 'SIGKILL' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
    child.stdin.on('error', () => { /* It ended without reading; its exit code tells. */ })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
    child.stdin.end(input)
  })
}
