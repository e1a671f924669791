/** The process as the command line sees it: arguments' surroundings, standard streams, secrets, signals. */
import { createInterface } from 'node:readline'

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Somebody can be asked. */
  readonly isInteractive: boolean
  /** Progress may rewrite its line. */
  readonly isErrorTerminal: boolean
  /** Resolves when the reader has taken it, so that output of any size needs little memory. */
  out(text: string): Promise<void>
  err(text: string): void
  /** The first line of standard input, without its end; rejects beyond `bytesMax`. */
  readLine(bytesMax: number): Promise<string>
  /** Asks without showing what is typed; undefined when the person gave up (Ctrl-C, Ctrl-D). */
  askSecret(question: string): Promise<string | undefined>
  sleep(ms: number): Promise<void>
  /** Calls `handler` for each of the signals, until the returned function is called. */
  onSignal(signals: readonly ('SIGINT' | 'SIGTERM' | 'SIGHUP')[], handler: (signal: string) => void): () => void
  readonly pid: number
  memoryBytes(): number
}

const ENTER = /[\r\n]/
const GIVE_UP = /[\u0003\u0004]/

export function realTerminal(): Terminal {
  // A reader that went away (`| head`) is no reason to crash.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    env: process.env,
    isInteractive: process.stdin.isTTY && process.stderr.isTTY,
    isErrorTerminal: process.stderr.isTTY,
    out: (text) => new Promise((resolve) => process.stdout.write(text, () => resolve())),
    err: (text) => void process.stderr.write(text),
    readLine,
    askSecret: (question) => askSecret(process.stdin, process.stderr, question),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    onSignal(signals, handler) {
      for (const signal of signals) process.on(signal, handler)
      return () => {
        for (const signal of signals) process.off(signal, handler)
      }
    },
    pid: process.pid,
    memoryBytes: () => process.memoryUsage.rss(),
  }
}

async function readLine(bytesMax: number): Promise<string> {
  let bytes = 0
  process.stdin.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > bytesMax) process.stdin.destroy(new RangeError(`the first line of standard input has more than ${bytesMax} bytes`))
  })
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity })
  try {
    for await (const line of lines) return line
    return ''
  } finally {
    lines.close()
    process.stdin.destroy()
  }
}

/** What is asked of the terminal's two streams. */
type SecretInput = Pick<NodeJS.ReadStream, 'setRawMode' | 'setEncoding' | 'resume' | 'pause' | 'on' | 'off'>

/** The line typed, unseen; undefined when the person gave up. */
export function askSecret(stdin: SecretInput, stderr: { write(text: string): unknown }, question: string): Promise<string | undefined> {
  // Before the question, so that not even a fast typist sees anything.
  stdin.setRawMode(true)
  stderr.write(question)
  stdin.setEncoding('utf8')
  stdin.resume()
  return new Promise((resolve) => {
    let typed = ''
    const done = (answer: string | undefined) => {
      stdin.off('data', onData)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
      resolve(answer)
    }
    const onData = (chunk: string) => {
      for (const char of chunk) {
        if (ENTER.test(char)) return done(typed)
        if (GIVE_UP.test(char)) return done(undefined)
        const isErase = char === '\u007f' || char === '\b'
        typed = isErase ? Array.from(typed).slice(0, -1).join('') : typed + char
      }
    }
    stdin.on('data', onData)
  })
}
