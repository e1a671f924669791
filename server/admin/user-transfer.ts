/**
 * Accounts in and out as XEP-0227 users.
 *
 * Data is written before the keys: the keys are what makes the account exist, so an import that is cut short leaves
 * accounts that are whole or not there, and can be run again.
 *
 * So it is while the server runs, too. Nobody can make the account in between, and the server never has it in memory as
 * it was before: whatever began to load it before the data was there has ended, and found no account, before the keys are.
 */
import type { AccountAdmin, Accounts } from '@rollcall/module-api'
import { prepareDomainpart } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Clock } from '@rollcall/ports'
import { fromWire, parseText, serialize, XmlElement, XmlError } from '@rollcall/xml'
import { RollcallError } from '../config/index.ts'
import type { AuthService } from '../core/auth/index.ts'
import { isSoundRecord } from '../core/auth/index.ts'
import { toFailure } from './failure.ts'
import type { UserInput, UserOutput, UserResult } from './operations.ts'
import { NS_PIE_SCRAM, scramElements, scramFrom } from './scram-element.ts'
import { accountOf, NS_PIE } from './user-data.ts'
import type { UserSection } from './user-data.ts'

export interface TransferPorts {
  readonly accounts: AccountAdmin
  /** What the server has in memory. */
  readonly live: Pick<Accounts, 'use'>
  readonly auth: Pick<AuthService, 'create' | 'record' | 'restore'>
  readonly clock: Clock
  readonly sections: readonly UserSection[]
}

/** Users under way at once: derivation of keys and storage overlap, memory stays flat. */
const USERS_IN_FLIGHT_MAX = 8

/** Makes the accounts of some users; one that fails stops no other. */
export async function importUsers(ports: TransferPorts, users: readonly UserInput[], isHost: (host: string) => boolean): Promise<UserResult[]> {
  const results: UserResult[] = []
  const queue = users.entries()
  const worker = async () => {
    // All workers draw from one iterator.
    for (const [index, user] of queue) results[index] = await importUser(ports, user, isHost)
  }
  await Promise.all(Array.from({ length: Math.min(users.length, USERS_IN_FLIGHT_MAX) }, worker))
  return results
}

async function importUser(ports: TransferPorts, { host, xml }: UserInput, isHost: (host: string) => boolean): Promise<UserResult> {
  const failed = (jid: string, problem: string): UserResult => ({ jid, outcome: 'failed', problems: [problem] })
  let jid = ''
  try {
    const user = parseText(xml, NS_PIE)
    const domain = prepareDomainpart(host)
    const account = accountOf(user, domain)
    if (account === undefined) return failed('', `'${user.attribute('name') ?? ''}' is no localpart`)
    jid = account.toString()
    if (!isHost(domain)) return failed(jid, `the host ${domain} is not served here: add it to hosts in the config file`)
    if ((await ports.auth.record(account)) !== undefined) return { jid, outcome: 'exists', problems: [] }
    return { jid, outcome: 'created', problems: await createUser(ports, account, user) }
  } catch (error) {
    if (error instanceof XmlError) return failed(jid, `not well-formed: ${error.message}`)
    const { code, message } = toFailure(error)
    // Somebody else made it at the same moment.
    if (code === 'account-exists') return { jid, outcome: 'exists', problems: [] }
    // Trouble of the storage is not this user's: the rest would fail as well.
    if (code === 'internal' || code.startsWith('storage')) throw error
    return failed(jid, message)
  }
}

async function createUser(ports: TransferPorts, account: Jid, user: XmlElement): Promise<string[]> {
  const problems: string[] = []
  const password = user.attribute('password')
  const children = user.elements()
  const isKeys = ({ name, ns }: XmlElement) => ns === NS_PIE_SCRAM && name === 'scram-credentials'
  const record = { createdAt: ports.clock.now(), scram: scramFrom(children.filter(isKeys), problems) }
  if (password === undefined && !isSoundRecord(record)) throw new RollcallError('bad-password', 'neither a password nor valid SCRAM keys')
  const writeData = async () => {
    await requireUnused(ports, account)
    problems.push(...(await writeSections(ports, account, children.filter((child) => !isKeys(child)))))
    await requireUnused(ports, account)
  }
  // A password gives keys of every kind, so it is better than the keys that stand beside it.
  if (password === undefined) await ports.auth.restore(account, record, writeData)
  else await ports.auth.create(account, password, writeData)
  return problems
}

/** Waits until nothing is loading the account any more; throws when the server has it in memory nevertheless. */
async function requireUnused({ live }: TransferPorts, account: Jid): Promise<void> {
  if ((await live.use(account, () => true)) === undefined) return
  throw new RollcallError('busy', `${account.toString()} is in use without being an account: try again later, or stop the server first`)
}

async function writeSections({ sections }: TransferPorts, account: Jid, children: readonly XmlElement[]): Promise<string[]> {
  const problems: string[] = []
  for (const section of sections) {
    const own = children.filter((child) => section.takes(child))
    if (own.length === 0) continue
    try {
      problems.push(...(await section.write(account, own)))
    } catch (error) {
      const failure = toFailure(error)
      if (failure.code === 'internal' || failure.code.startsWith('storage')) throw error
      problems.push(`${section.name}: ${failure.message}`)
    }
  }
  for (const { name, ns } of children.filter((child) => !sections.some((section) => section.takes(child)))) {
    problems.push(`<${name} xmlns='${ns}'/>: not supported, left out`)
  }
  return problems
}

/** Some users of a host, strictly after `after`, in text order; `next` is there when there may be more. */
export async function exportUsers(
  { accounts, auth, sections }: TransferPorts, host: string, after: Jid | undefined, limit: number,
): Promise<{ users: UserOutput[]; next?: string }> {
  const users: UserOutput[] = []
  const page = await accounts.list(host, after, limit)
  for (const jid of page) {
    const record = await auth.record(jid)
    // Removed since it was listed.
    if (record === undefined) continue
    const user = new XmlElement('user', NS_PIE, { name: jid.localpart }, scramElements(record))
    for (const section of sections) user.append(...(await section.read(jid)))
    users.push({ jid: jid.toString(), xml: fromWire(serialize(user, NS_PIE)) })
  }
  const last = page.at(-1)
  return page.length < limit || last === undefined ? { users } : { users, next: last.toString() }
}
