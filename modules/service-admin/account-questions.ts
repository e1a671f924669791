/** What the commands want of one account that is connected or kept at some member: answered by the member that owns it. */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Account, Accounts, Members, Question } from '@rollcall/module-api'
import { StanzaError } from '@rollcall/stanza'
import type { Roster, RosterEntry } from '../roster/port.ts'

/** Types, not interfaces, so that they count as JSON. */
export type RosterItem = Pick<RosterEntry, 'name' | 'groups' | 'subscription' | 'isPendingOut'> & { readonly jid: string }
export type AccountFacts = {
  readonly addresses: readonly string[]
  readonly resources: readonly string[]
  readonly contactCount: number
  /** ms since 1970; null when nobody is connected. */
  readonly lastBoundAt: number | null
}

export interface AccountQuestionPorts {
  readonly accounts: Accounts
  readonly members: Members
  readonly roster: Roster
}

export class AccountQuestions {
  readonly #facts: Question<string, AccountFacts>
  readonly #roster: Question<string, readonly RosterItem[]>
  readonly #end: Question<string, null>

  constructor({ accounts, members, roster }: AccountQuestionPorts) {
    this.#facts = members.question('service-admin/facts', (jid) => about(accounts, parseJid(jid), (account) => factsOf(account, roster)))
    this.#roster = members.question('service-admin/roster', (jid) =>
      about(accounts, parseJid(jid), (account) => [...roster.items(account)].map(rosterItem)))
    this.#end = members.question('service-admin/end', (jid) => endSessions(accounts, parseJid(jid)))
  }

  /** `item-not-found` when there is no such account; also of the others. */
  facts(account: Jid): Promise<AccountFacts> {
    return this.#facts.owner(account.bare, account.bare.toString())
  }

  roster(account: Jid): Promise<readonly RosterItem[]> {
    return this.#roster.owner(account.bare, account.bare.toString())
  }

  /** Ends all sessions of a bare JID, or the one of a full JID; `item-not-found` when there is none. */
  async endSessions(jid: Jid): Promise<void> {
    await this.#end.owner(jid.bare, jid.toString())
  }
}

/** Asks about one account in its own order. */
async function about<T>(accounts: Accounts, jid: Jid, ask: (account: Account) => T): Promise<T> {
  const answer = await accounts.use(jid, (account) => ({ value: ask(account) }))
  if (answer === undefined) throw new StanzaError('item-not-found', `There is no account ${jid.toString()}`)
  return answer.value
}

function factsOf(account: Account, roster: Roster): AccountFacts {
  const sessions = [...account.sessions.values()]
  return {
    addresses: [...new Set(sessions.map((session) => session.origin.address))],
    resources: sessions.map((session) => session.jid.resourcepart),
    contactCount: [...roster.items(account)].length,
    lastBoundAt: sessions.length === 0 ? null : Math.max(...sessions.map((session) => session.boundAt)),
  }
}

function rosterItem({ groups, isPendingOut, jid, name, subscription }: RosterEntry): RosterItem {
  return { jid: jid.toString(), name, groups, subscription, isPendingOut }
}

async function endSessions(accounts: Accounts, jid: Jid): Promise<null> {
  const isFound = await accounts.use(jid, (account) => {
    const sessions = [...account.sessions.values()].filter((session) => jid.isBare || session.jid.equals(jid))
    for (const session of sessions) session.close('policy-violation', 'The session was ended by an administrator')
    return sessions.length > 0
  })
  if (isFound !== true) throw new StanzaError('item-not-found', 'is not connected')
  return null
}
