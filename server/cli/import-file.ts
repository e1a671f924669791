/** `account import`: lines with tabs, or XEP-0227 when the file begins as XML does. */
import { createReadStream, openSync, readSync, closeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Operations, UserResult } from '../admin/index.ts'
import { RollcallError } from '../config/index.ts'
import type { ServerConfig } from '../config/index.ts'
import { readImport } from '../core/auth/index.ts'
import type { CliPorts } from './context.ts'
import { readPie } from './pie-reader.ts'
import type { PieUser } from './pie-reader.ts'
import { progress } from './progress.ts'
import type { Progress } from './progress.ts'

export interface ImportOptions {
  readonly host: string | undefined
  readonly iterations: number | undefined
  readonly salt: string | undefined
}

export interface ImportSummary {
  created: number
  existing: number
  /** `file:line: reason`, as they were reported. */
  problems: number
}

/** Accounts of one request: few enough that progress moves, enough to keep all threads busy. */
const BATCH_ACCOUNTS = 250
const BATCH_USERS = 100
const BATCH_UNITS = 4 * 1024 * 1024
/** Problems told one by one. */
const PROBLEMS_SHOWN_MAX = 100
const SNIFF_BYTES = 512

/** Imports the file; what is wrong with single lines or users is reported and counted, the rest is imported. */
export async function importFile(
  ports: CliPorts, config: ServerConfig, operations: Operations, file: string, options: ImportOptions,
): Promise<ImportSummary> {
  const summary: ImportSummary = { created: 0, existing: 0, problems: 0 }
  const bar = progress(ports.terminal, ports.clock, 'accounts')
  const report = (problem: string) => {
    summary.problems++
    bar.end()
    if (summary.problems <= PROBLEMS_SHOWN_MAX) ports.terminal.err(`${problem}\n`)
  }
  try {
    if (isXml(file)) await importPie(operations, file, summary, bar, report)
    else await importLines(config, operations, file, options, summary, bar, report)
  } finally {
    bar.end()
  }
  const more = summary.problems - PROBLEMS_SHOWN_MAX
  if (more > 0) ports.terminal.err(`… and ${more} more\n`)
  return summary
}

function isXml(file: string): boolean {
  const unreadable = (error: unknown) => new RollcallError('file-unreadable', `${file}: ${(error as Error).message}`, { cause: error })
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    throw unreadable(error)
  }
  try {
    const start = Buffer.alloc(SNIFF_BYTES)
    const length = readSync(descriptor, start, 0, SNIFF_BYTES, 0)
    return start.toString('utf8', 0, length).replace(/^\uFEFF/, '').trimStart().startsWith('<')
  } catch (error) {
    throw unreadable(error)
  } finally {
    closeSync(descriptor)
  }
}

type Report = (problem: string) => void

async function importLines(
  config: ServerConfig, operations: Operations, file: string, options: ImportOptions, summary: ImportSummary, bar: Progress, report: Report,
): Promise<void> {
  const host = options.host ?? onlyHost(config)
  const lines = createInterface({ input: createReadStream(file, { encoding: 'utf8' }), crlfDelay: Infinity })
  const { accounts, problems } = await readImport(lines, host, config.auth.passwordUnitsMin)
  for (const { line, reason } of problems) report(`${file}:${line}: ${reason}`)
  const { iterations, salt } = options
  for (let at = 0; at < accounts.length; at += BATCH_ACCOUNTS) {
    bar.update(at, accounts.length)
    const batch = accounts.slice(at, at + BATCH_ACCOUNTS).map(({ jid, password, contacts }) => {
      return { jid: jid.toString(), password, contacts: contacts.map((contact) => contact.toString()) }
    })
    const result = await operations.importAccounts({
      accounts: batch, ...(iterations === undefined ? {} : { iterations }), ...(salt === undefined ? {} : { salt }),
    })
    summary.created += result.createdCount
    summary.existing += result.existing.length
  }
  bar.update(accounts.length, accounts.length)
}

/** The host of addresses that name none. */
export function onlyHost({ core }: ServerConfig): string {
  const [host, ...others] = core.hosts
  if (host === undefined || others.length > 0) throw new RollcallError('no-host', `there are several hosts (${core.hosts.join(', ')}): say which with --host`)
  return host
}

async function importPie(operations: Operations, file: string, summary: ImportSummary, bar: Progress, report: Report): Promise<void> {
  let batch: PieUser[] = []
  let units = 0
  let done = 0
  const flush = async () => {
    const { results } = await operations.importUsers({ users: batch.map(({ host, xml }) => ({ host, xml })) })
    for (const [index, result] of results.entries()) count(result, batch[index] as PieUser, summary, report)
    done += batch.length
    bar.update(done)
    batch = []
    units = 0
  }
  for await (const user of readPie(file, report)) {
    batch.push(user)
    units += user.xml.length
    if (batch.length >= BATCH_USERS || units >= BATCH_UNITS) await flush()
  }
  if (batch.length > 0) await flush()
}

function count({ jid, outcome, problems }: UserResult, { place, host }: PieUser, summary: ImportSummary, report: Report): void {
  if (outcome === 'created') summary.created++
  if (outcome === 'exists') summary.existing++
  for (const problem of problems) report(`${place}: ${jid === '' ? `a user of ${host}` : jid}: ${problem}`)
}
