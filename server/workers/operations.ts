/**
 * The operator's operations where there are several workers: what concerns an account is done by its owner, what only reads by
 * anyone, what concerns the server by the supervisor.
 */
import { parseJid, prepareDomainpart, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Bus, Json, MemberId, StorageBackend } from '@rollcall/ports'
import { parseText } from '@rollcall/xml'
import { accountOf, NS_PIE, toFailure } from '../admin/index.ts'
import type { Operations, ServerStatus, UserInput } from '../admin/index.ts'
import { errorTable, RollcallError } from '../config/index.ts'
import type { ErrorCode } from '../config/index.ts'
import type { OperateReply } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'

export interface WorkerOperationsPorts {
  readonly bus: Bus<ServerMessage>
  readonly storage: StorageBackend
  readonly members: () => readonly MemberId[]
  readonly ownerOf: (account: Jid) => MemberId | undefined
  readonly facts: () => Omit<ServerStatus, 'accountCount' | 'sessionCount'>
  readonly reload: () => Promise<void>
  readonly shutdown: () => void
}

/** An import of a thousand accounts derives keys for each. */
const OPERATION_TIMEOUT_MS = 120_000
const DONE = {}

export function workerOperations(ports: WorkerOperationsPorts): Operations {
  const { bus, members, ownerOf } = ports
  const ask = async <T>(member: MemberId | undefined, name: keyof Operations, request: object): Promise<T> => {
    if (member === undefined) throw new RollcallError('not-ready', 'no worker is there')
    const reply = await bus.request(member, { kind: 'operate', name, request: request as Json }, OPERATION_TIMEOUT_MS) as OperateReply
    if ('answer' in reply) return reply.answer as T
    throw new RollcallError(reply.code in errorTable ? reply.code as ErrorCode : 'internal', reply.message)
  }
  const anyone = () => members()[0]
  const ownerOfText = (text: string) => {
    const jid = tryParseJid(text)
    // Whoever gets it says what is wrong with it.
    return jid === undefined ? anyone() : ownerOf(jid.bare)
  }
  const operations: Operations = {
    status: () => status(ports, ask),
    async reload() {
      await ports.reload()
      return DONE
    },
    shutdown: () => {
      ports.shutdown()
      return Promise.resolve(DONE)
    },
    addAccount: (request) => ask(ownerOfText(request.jid), 'addAccount', request),
    removeAccount: (request) => ask(ownerOfText(request.jid), 'removeAccount', request),
    setPassword: (request) => ask(ownerOfText(request.jid), 'setPassword', request),
    listAccounts: (request) => ask(anyone(), 'listAccounts', request),
    countAccounts: (request) => ask(anyone(), 'countAccounts', request),
    async importAccounts({ accounts, ...rest }) {
      const parts = byOwner(accounts, ({ jid }) => ownerOfText(jid))
      const answers = await Promise.all([...parts].map(([member, { items }]) =>
        ask<Awaited<ReturnType<Operations['importAccounts']>>>(member, 'importAccounts', { ...rest, accounts: items })))
      return { createdCount: answers.reduce((sum, answer) => sum + answer.createdCount, 0), existing: answers.flatMap((answer) => answer.existing) }
    },
    async importUsers({ users }) {
      const results: Awaited<ReturnType<Operations['importUsers']>>['results'][number][] = []
      const parts = byOwner(users, (user) => ownerOfUser(user, ownerOf) ?? anyone())
      await Promise.all([...parts].map(async ([member, { items, places }]) => {
        const answer = await ask<Awaited<ReturnType<Operations['importUsers']>>>(member, 'importUsers', { users: items })
        answer.results.forEach((result, i) => {
          results[places[i] as number] = result
        })
      }))
      return { results }
    },
    exportUsers: (request) => ask(anyone(), 'exportUsers', request),
    async backup({ path }) {
      await ports.storage.backup(path)
      return DONE
    },
  }
  return failing(operations)
}

type Ask = <T>(member: MemberId | undefined, name: keyof Operations, request: object) => Promise<T>

async function status({ facts, members }: WorkerOperationsPorts, ask: Ask): Promise<ServerStatus> {
  const own = facts()
  const workers = await Promise.all(members().map((member) => ask<ServerStatus>(member, 'status', {})))
  return {
    ...own,
    accountCount: workers[0]?.accountCount ?? 0,
    sessionCount: workers.reduce((sum, one) => sum + one.sessionCount, 0),
    memoryBytes: workers.reduce((sum, one) => sum + one.memoryBytes, own.memoryBytes),
    workers: members().map((member, i) => ({
      name: member, pid: workers[i]?.pid ?? 0, sessionCount: workers[i]?.sessionCount ?? 0, memoryBytes: workers[i]?.memoryBytes ?? 0,
    })),
  }
}

interface Part<T> {
  readonly items: T[]
  /** Where they stood. */
  readonly places: number[]
}

function byOwner<T>(items: readonly T[], ownerOf: (item: T) => MemberId | undefined): Map<MemberId | undefined, Part<T>> {
  const parts = new Map<MemberId | undefined, Part<T>>()
  items.forEach((item, place) => {
    const owner = ownerOf(item)
    let part = parts.get(owner)
    if (part === undefined) parts.set(owner, part = { items: [], places: [] })
    part.items.push(item)
    part.places.push(place)
  })
  return parts
}

/** Undefined when the user cannot be read: then anybody says so. */
function ownerOfUser({ host, xml }: UserInput, ownerOf: (account: Jid) => MemberId | undefined): MemberId | undefined {
  try {
    const account = accountOf(parseText(xml, NS_PIE), prepareDomainpart(host))
    return account === undefined ? undefined : ownerOf(parseJid(account.toString()))
  } catch {
    return undefined
  }
}

/** The same operations, whose rejections have stable codes. */
function failing(operations: Operations): Operations {
  const wrapped = Object.entries(operations).map(([name, operation]) => {
    const run = operation as (request: object) => Promise<object>
    return [name, (request: object) => run(request).catch((error: unknown) => {
      throw toFailure(error)
    })] as const
  })
  return Object.fromEntries(wrapped) as unknown as Operations
}
