/**
 * What an operator can do with a server, as one interface with two implementations: the server itself
 * (`createOperations`), and the client of its control socket (`controlClient`), so that the command is the same whether
 * the server runs or not.
 *
 * Requests and answers are plain JSON. Everything rejects with `RollcallError`.
 */
import { RollcallError } from '../config/index.ts'

export interface ServerStatus {
  readonly version: string
  readonly pid: number
  readonly uptimeSeconds: number
  readonly hosts: readonly string[]
  readonly sessionCount: number
  readonly accountCount: number
  /** Resident memory of all processes. */
  readonly memoryBytes: number
  /** `client 127.0.0.1:5222`. */
  readonly listeners: readonly string[]
  /** Where there are several. */
  readonly workers?: readonly WorkerStatus[]
}

/** One process of several. */
export interface WorkerStatus {
  readonly name: string
  readonly pid: number
  readonly sessionCount: number
  readonly memoryBytes: number
}

/** One account to make; contacts are bare JIDs, mutual. */
export interface AccountInput {
  readonly jid: string
  readonly password: string
  readonly contacts: readonly string[]
}

/** One `<user/>` of XEP-0227. */
export interface UserInput {
  readonly host: string
  readonly xml: string
}

export interface UserResult {
  /** '' when the name is no localpart. */
  readonly jid: string
  /** `exists`: the account was there and was left alone. */
  readonly outcome: 'created' | 'exists' | 'failed'
  /** Data that was left out, or why it failed. */
  readonly problems: readonly string[]
}

export interface UserOutput {
  readonly jid: string
  readonly xml: string
}

interface Jid {
  readonly jid: string
}
interface JidAndPassword extends Jid {
  readonly password: string
}

interface PageRequest {
  readonly host: string
  readonly after?: string
  readonly limit: number
}

/** Accounts of one page or batch. */
export const PAGE_ACCOUNTS_MAX = 1000
/** Bytes of one request; a client cuts its batches well below. */
export const REQUEST_BYTES_MAX = 64 * 1024 * 1024

export interface Operations {
  status(request: object): Promise<ServerStatus>
  /** Reads the config file and certificates again; rejects with the faults, and then nothing has changed. */
  reload(request: object): Promise<object>
  /** Answers at once; the server then tells its clients and stops. */
  shutdown(request: object): Promise<object>
  addAccount(request: JidAndPassword): Promise<object>
  removeAccount(request: Jid): Promise<object>
  setPassword(request: JidAndPassword): Promise<object>
  /** In text order, strictly after `after`. */
  listAccounts(request: PageRequest): Promise<{ readonly accounts: readonly string[] }>
  countAccounts(request: { readonly host: string }): Promise<{ readonly count: number }>
  /** Makes accounts; those that exist are left alone. `salt`: one for all, at least 8 bytes: for tests only. */
  importAccounts(request: {
    readonly accounts: readonly AccountInput[]
    readonly iterations?: number
    readonly salt?: string
  }): Promise<{ readonly createdCount: number; readonly existing: readonly string[] }>
  importUsers(request: { readonly users: readonly UserInput[] }): Promise<{ readonly results: readonly UserResult[] }>
  /** `next`, when there may be more, is the `after` of the next page. */
  exportUsers(request: PageRequest): Promise<{ readonly users: readonly UserOutput[]; readonly next?: string }>
  /** A copy of everything to a new file; absolute path. */
  backup(request: { readonly path: string }): Promise<object>
}

export type OperationName = keyof Operations

type Check = (value: unknown, name: string) => void
type Shape = Readonly<Record<string, Check>>

function refuse(name: string, what: string): never {
  throw new RollcallError('bad-request', `${name} must be ${what}`)
}

const text: Check = (value, name) => {
  if (typeof value !== 'string' || value === '') refuse(name, 'a text that is not empty')
}
const optional = (check: Check): Check => (value, name) => {
  if (value !== undefined) check(value, name)
}
const integer = (min: number, max: number): Check => (value, name) => {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) refuse(name, `a whole number from ${min} to ${max}`)
}
const list = (check: Check, itemsMax: number): Check => (value, name) => {
  if (!Array.isArray(value) || value.length > itemsMax) refuse(name, `a list of at most ${itemsMax}`)
  value.forEach((item, index) => check(item, `${name}[${index}]`))
}
const record = (shape: Shape): Check => (value, name) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(name, 'an object')
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(shape, key)) refuse(`${name}.${key}`, `absent; known are ${Object.keys(shape).join(', ') || 'none'}`)
  }
  for (const [key, check] of Object.entries(shape)) check((value as Readonly<Record<string, unknown>>)[key], `${name}.${key}`)
}

const CONTACTS_MAX = 100_000
const page = { host: text, after: optional(text), limit: integer(1, PAGE_ACCOUNTS_MAX) }
const ITERATIONS_MIN = 4096
const ITERATIONS_MAX = 10_000_000

const shapes: Readonly<Record<OperationName, Shape>> = {
  status: {},
  reload: {},
  shutdown: {},
  addAccount: { jid: text, password: text },
  removeAccount: { jid: text },
  setPassword: { jid: text, password: text },
  listAccounts: page,
  countAccounts: { host: text },
  importAccounts: {
    accounts: list(record({ jid: text, password: text, contacts: list(text, CONTACTS_MAX) }), PAGE_ACCOUNTS_MAX),
    iterations: optional(integer(ITERATIONS_MIN, ITERATIONS_MAX)),
    salt: optional(text),
  },
  importUsers: { users: list(record({ host: text, xml: text }), PAGE_ACCOUNTS_MAX) },
  exportUsers: page,
  backup: { path: text },
}

export const operationNames = Object.keys(shapes) as readonly OperationName[]

export function isOperationName(name: string): name is OperationName {
  return Object.hasOwn(shapes, name)
}

/** Runs an operation on a request from outside; rejects with `bad-request` when it has the wrong shape. */
export async function perform(operations: Operations, name: OperationName, request: unknown): Promise<object> {
  record(shapes[name])(request, 'request')
  // The shape just checked is the operation's own, which TypeScript cannot follow through the table.
  const operation = operations[name] as (request: unknown) => Promise<object>
  return operation(request)
}
