/** `account export`: XEP-0227, page by page, into a file that only its owner can read, or to standard output. */
import { open, rm } from 'node:fs/promises'
import { escapeAttribute, fromWire } from '@rollcall/xml'
import { NS_PIE } from '../admin/index.ts'
import type { Operations } from '../admin/index.ts'
import { RollcallError } from '../config/index.ts'
import type { CliPorts } from './context.ts'
import { progress } from './progress.ts'

const PAGE_USERS = 100

/** Writes the accounts of the hosts; answers how many. `file` undefined: standard output. Rejects with `file-exists`. */
export async function exportFile(ports: CliPorts, operations: Operations, hosts: readonly string[], file: string | undefined): Promise<number> {
  if (file === undefined) return exportTo(ports, operations, hosts, (text) => ports.terminal.out(text))
  const handle = await openNew(file)
  try {
    const count = await exportTo(ports, operations, hosts, async (text) => void (await handle.write(text)))
    await handle.sync()
    await handle.close()
    return count
  } catch (error) {
    // Half an export would be taken for a whole one.
    await handle.close()
    await rm(file, { force: true })
    throw error
  }
}

async function openNew(file: string) {
  try {
    // XEP-0227 §6: keys of accounts are in it.
    return await open(file, 'wx', 0o600)
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new RollcallError(isThere ? 'file-exists' : 'file-unreadable', isThere ? `${file} exists` : `${file}: ${(error as Error).message}`, { cause: error })
  }
}

async function exportTo(ports: CliPorts, operations: Operations, hosts: readonly string[], write: (text: string) => Promise<void>): Promise<number> {
  const bar = progress(ports.terminal, ports.clock, 'accounts')
  let count = 0
  await write(`<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='${NS_PIE}'>\n`)
  for (const host of hosts) {
    await write(`<host jid='${fromWire(escapeAttribute(host))}'>\n`)
    let after: string | undefined
    do {
      const { users, next } = await operations.exportUsers({ host, limit: PAGE_USERS, ...(after === undefined ? {} : { after }) })
      for (const { xml } of users) await write(`${xml}\n`)
      count += users.length
      bar.update(count)
      after = next
    } while (after !== undefined)
    await write('</host>\n')
  }
  await write('</server-data>\n')
  bar.end()
  return count
}
