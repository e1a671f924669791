/**
 * The control socket: operations over HTTP on a Unix domain socket in the data folder.
 *
 * Who may open the socket's file may do everything, as with the database beside it, so the file's mode (0600) is the
 * whole access control. It is made in a folder that nobody else can enter and moved into place when the mode is right:
 * there is no moment in which others could connect, and a socket that a crash left behind is replaced in one step.
 *
 * `POST /v1/<operation>` with a JSON object; 200 with the answer, or the error table's status with `{"error": …}`.
 */
import { chmodSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import type { Log } from '@rollcall/ports'
import { errorTable, RollcallError } from '../config/index.ts'
import { toFailure } from './failure.ts'
import { isOperationName, operationNames, perform, REQUEST_BYTES_MAX } from './operations.ts'
import type { Operations } from './operations.ts'

export interface ControlServerOptions {
  /** Absolute path of the socket. */
  readonly path: string
  readonly operations: Operations
  readonly log: Log
}

export interface ControlServer {
  /** Takes no more requests, ends those that wait, removes the socket. */
  close(): Promise<void>
}

/** Longest path of a Unix domain socket, in bytes (sockaddr_un), and what `mkdtemp` and a name add to the folder's. */
const SOCKET_PATH_BYTES_MAX = 107
const TEMPORARY_PREFIX = 'ctl-'
const OPERATION_PREFIX = '/v1/'
const CONNECTIONS_MAX = 64
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 120_000

/** Opens the socket; rejects with `already-running` when another server answers on it, with `cannot-listen` otherwise. */
export async function createControlServer({ path, operations, log }: ControlServerOptions): Promise<ControlServer> {
  const temporaryLength = Buffer.byteLength(dirname(path)) + TEMPORARY_PREFIX.length + 6 + '//s'.length
  if (Math.max(Buffer.byteLength(path), temporaryLength) > SOCKET_PATH_BYTES_MAX) {
    throw new RollcallError('cannot-listen', `${path} is too long for a socket (at most ${SOCKET_PATH_BYTES_MAX} bytes): use a shorter --data`)
  }
  if (await isAnswering(path)) throw new RollcallError('already-running', `a server runs on ${dirname(path)} already`)
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, keepAlive: true }, (request, response) => {
    void answer(request, response, operations, log)
  })
  server.maxConnections = CONNECTIONS_MAX
  await listenPrivately(server, path)
  return {
    close: () => new Promise((resolve) => {
      rmSync(path, { force: true })
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
}

/** Whether somebody listens at the path. */
export function isAnswering(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Not allowed to connect means that somebody else's server is there.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES'))
  })
}

async function listenPrivately(server: ReturnType<typeof createServer>, path: string): Promise<void> {
  try {
    const folder = mkdtempSync(join(dirname(path), TEMPORARY_PREFIX))
    try {
      const temporary = join(folder, 's')
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(temporary, () => {
          server.removeListener('error', reject)
          resolve()
        })
      })
      chmodSync(temporary, 0o600)
      renameSync(temporary, path)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  } catch (error) {
    server.close()
    throw new RollcallError('cannot-listen', `the control socket ${path} cannot be made: ${(error as Error).message}`, { cause: error })
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, operations: Operations, log: Log): Promise<void> {
  try {
    const name = operationOf(request)
    reply(response, 200, await perform(operations, name, await readJson(request)))
  } catch (error) {
    const failure = toFailure(error)
    if (failure.code === 'internal') log.error('control-operation-failed', { url: request.url, error: failure.cause ?? failure })
    reply(response, errorTable[failure.code].status, errorBody(failure))
  }
}

/** How every HTTP answer of ours tells an error. */
export function errorBody({ code, message, fix }: RollcallError): object {
  return { error: { code, message, fix } }
}

function operationOf({ method, url = '' }: IncomingMessage) {
  const name = url.startsWith(OPERATION_PREFIX) ? url.slice(OPERATION_PREFIX.length) : ''
  if (!isOperationName(name)) {
    throw new RollcallError('not-found', `there is no ${url}; operations are ${operationNames.map((known) => OPERATION_PREFIX + known).join(', ')}`)
  }
  if (method !== 'POST') throw new RollcallError('method-not-allowed', `use POST ${url}`)
  return name
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > REQUEST_BYTES_MAX) throw new RollcallError('request-too-large', `a request has at most ${REQUEST_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  try {
    return text === '' ? {} : JSON.parse(text)
  } catch {
    throw new RollcallError('bad-request', 'the body is not JSON: send an object')
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  if (response.destroyed || response.headersSent) return
  const text = JSON.stringify(body)
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}
