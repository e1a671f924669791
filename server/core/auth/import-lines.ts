/**
 * The lines of `account import`: `localpart TAB password TAB comma-separated mutual contacts`, the last column optional.
 *
 * Contacts are localparts of the same host or bare JIDs. They are mutual: when Romeo's line names Juliet, she gets him
 * too, whether or not her line says so; that needs the whole file, so it is read before anything is made.
 */
import { JidError, jidOf, parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { saslprep } from '@rollcall/stream'

/** One account to make. */
export interface ImportAccount {
  readonly jid: Jid
  /** Prepared. */
  readonly password: string
  /** Bare JIDs, each once, never the account itself. */
  readonly contacts: readonly Jid[]
}

/** Why a line was not used; `line` counts from 1. */
export interface ImportProblem {
  readonly line: number
  readonly reason: string
}

export interface ImportFile {
  readonly accounts: readonly ImportAccount[]
  readonly problems: readonly ImportProblem[]
}

class LineError extends Error {}

interface Draft {
  readonly jid: Jid
  readonly password: string
  readonly contacts: Map<string, Jid>
}

/** Reads all lines; empty ones and those that begin with `#` are skipped, bad ones become problems. */
export async function readImport(
  lines: Iterable<string> | AsyncIterable<string>, host: string, passwordUnitsMin = 1,
): Promise<ImportFile> {
  const drafts = new Map<string, Draft>()
  const problems: ImportProblem[] = []
  let line = 0
  for await (const text of lines) {
    line++
    if (text.trim() === '' || text.startsWith('#')) continue
    try {
      const draft = draftOf(text.replace(/\r$/, ''), host, passwordUnitsMin)
      const name = draft.jid.toString()
      if (drafts.has(name)) throw new LineError(`${name} has a line already`)
      drafts.set(name, draft)
    } catch (error) {
      if (!(error instanceof JidError) && !(error instanceof LineError)) throw error
      problems.push({ line, reason: error.message })
    }
  }
  makeMutual(drafts)
  const accounts = Array.from(drafts.values(), ({ jid, password, contacts }) => ({ jid, password, contacts: [...contacts.values()] }))
  return { accounts, problems }
}

function draftOf(text: string, host: string, passwordUnitsMin: number): Draft {
  const [localpart, password, contactList = '', ...rest] = text.split('\t')
  if (!localpart || password === undefined) throw new LineError('a line is localpart, TAB, password, TAB, contacts')
  if (rest.length > 0) throw new LineError('more than three columns')
  const prepared = saslprep(password)
  if (prepared === undefined) throw new LineError('the password is empty, too long or not allowed')
  if (prepared.length < passwordUnitsMin) throw new LineError(`the password needs ${passwordUnitsMin} characters`)
  const jid = jidOf(localpart, host)
  const contacts = new Map<string, Jid>()
  for (const contact of contactList.split(',')) {
    const name = contact.trim()
    if (name === '') continue
    const contactJid = name.includes('@') ? parseJid(name) : jidOf(name, host)
    if (contactJid.isFull) throw new LineError(`the contact ${name} has a resource`)
    if (!contactJid.equals(jid)) contacts.set(contactJid.toString(), contactJid)
  }
  return { jid, password: prepared, contacts }
}

function makeMutual(drafts: ReadonlyMap<string, Draft>): void {
  for (const { jid, contacts } of drafts.values()) {
    for (const contact of contacts.keys()) drafts.get(contact)?.contacts.set(jid.toString(), jid)
  }
}
