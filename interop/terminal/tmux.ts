/** A terminal without a screen: tmux with a server of its own, keys sent to it and its text read back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { runProgram } from '../processes.ts'

const COMMAND_TIMEOUT_MS = 10_000
const POLL_MS = 100
const WIDTH = 160
const HEIGHT = 50

export class Terminal {
  readonly #socket: string
  readonly #env: NodeJS.ProcessEnv
  /** Of the tmux server, once it is there. */
  #pid: number | undefined

  /** `socket` is a path that no other terminal has. */
  constructor(socket: string, env: NodeJS.ProcessEnv) {
    this.#socket = socket
    // Names of a terminal around the tests would make tmux refuse to nest.
    this.#env = { ...env, TERM: 'screen-256color', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', TMUX: '' }
  }

  /** Starts `command` in it. */
  async start(command: string): Promise<void> {
    const started = await this.#run('-f', '/dev/null', 'new-session', '-d', '-P', '-F', '#{pid}', '-x', String(WIDTH), '-y', String(HEIGHT), command)
    this.#pid = Number(started)
  }

  /** Types a line and presses enter. */
  async type(text: string): Promise<void> {
    await this.#run('send-keys', '-l', text)
    await this.#run('send-keys', 'Enter')
  }

  /** What it shows. */
  async text(): Promise<string> {
    return this.#run('capture-pane', '-p')
  }

  /** Waits until it shows something that matches; gives the text, or throws with what is there instead. */
  async shows(pattern: RegExp, timeoutMs = 15_000): Promise<string> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const text = await this.text()
      if (pattern.test(text)) return text
      if (Date.now() > deadline) throw new Error(`the terminal does not show ${pattern}:\n${text.trim()}`)
      await sleep(POLL_MS)
    }
  }

  /** Ends it with all that runs in it, also when its socket is gone already; nothing happens when it has ended. */
  async end(): Promise<void> {
    const pid = this.#pid
    if (pid === undefined) return
    const deadline = Date.now() + COMMAND_TIMEOUT_MS
    for (let signal: NodeJS.Signals | 0 = 'SIGTERM'; isThere(pid, signal); signal = 0) {
      if (Date.now() > deadline) throw new Error(`tmux, process ${pid}, does not end`)
      await sleep(POLL_MS)
    }
  }

  async #run(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runProgram('tmux', ['-S', this.#socket, ...args], { env: this.#env, timeoutMs: COMMAND_TIMEOUT_MS })
    if (code !== 0) throw new Error(`tmux ${args.join(' ')} ended with ${code}: ${stderr}`)
    return stdout
  }
}

/** Whether there is such a process; gives it the signal if so. */
function isThere(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
