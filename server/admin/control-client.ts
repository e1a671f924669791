/** The operations of a running server, asked over its control socket. */
import { Agent, request } from 'node:http'
import { errorTable, isErrorCode, RollcallError } from '../config/index.ts'
import { operationNames } from './operations.ts'
import type { OperationName, Operations } from './operations.ts'

export interface ControlClient {
  readonly operations: Operations
  close(): void
}

/** An answer with more is none of ours. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024

/**
 * A client of the socket at `path`; connects with the first operation. Rejections carry the server's code, or
 * `not-running`, `not-permitted`, `no-answer`.
 */
export function controlClient(path: string): ControlClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const call = (name: OperationName, body: object): Promise<object> => {
    return new Promise((resolve, reject) => {
      const text = JSON.stringify(body)
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }
      const asked = request({ socketPath: path, path: `/v1/${name}`, method: 'POST', headers, agent }, (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          length += chunk.length
          if (length > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too large'))
        })
        response.on('error', (error) => reject(connectionFailure(error, path)))
        response.on('end', () => settle(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'), resolve, reject))
      })
      asked.on('error', (error) => reject(connectionFailure(error, path)))
      asked.end(text)
    })
  }
  const entries = operationNames.map((name) => [name, (body: object) => call(name, body)] as const)
  return { operations: Object.fromEntries(entries) as unknown as Operations, close: () => agent.destroy() }
}

function settle(status: number, text: string, resolve: (answer: object) => void, reject: (error: Error) => void): void {
  try {
    const answer = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } }
    if (status === 200) return resolve(answer)
    const { code, message } = answer.error ?? {}
    reject(new RollcallError(isErrorCode(code) ? code : 'internal', typeof message === 'string' ? message : `status ${status}`))
  } catch {
    reject(new RollcallError('no-answer', `the server answered with status ${status} and no JSON`))
  }
}

function connectionFailure(error: NodeJS.ErrnoException, path: string): RollcallError {
  const code = error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? 'not-running' : error.code === 'EACCES' ? 'not-permitted' : 'no-answer'
  return new RollcallError(code, `${errorTable[code].meaning} (${path})`, { cause: error })
}
