/**
 * Accounts in the neutral form `localpart TAB password TAB comma-separated mutual contacts`: what `rollcall account
 * import` reads, and what loaders of other servers are made from.
 */

export interface Account {
  /** Localpart. */
  readonly name: string
  readonly password: string
  /** Localparts. */
  readonly contacts: readonly string[]
}

const ACCOUNTS_MAX = 1_000_000

/** The lines of an accounts file, each with its line end. */
export function* accountLines(accounts: Iterable<Account>): Generator<string> {
  for (const { name, password, contacts } of accounts) yield `${name}\t${password}\t${contacts.join(',')}\n`
}

/** Reads such lines; empty ones and those that start with `#` are skipped. Throws SyntaxError naming the line. */
export function parseAccounts(text: string): Account[] {
  const accounts: Account[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [name = '', password = '', contacts = ''] = line.replace(/\r$/, '').split('\t')
    if (name === '' || password === '') throw new SyntaxError(`line ${index + 1}: expected localpart TAB password TAB contacts`)
    if (accounts.length >= ACCOUNTS_MAX) throw new SyntaxError(`line ${index + 1}: more than ${ACCOUNTS_MAX} accounts`)
    accounts.push({ name, password, contacts: contacts === '' ? [] : contacts.split(',') })
  }
  return accounts
}
