/** Commands about accounts: make, delete, disable, end sessions, passwords, and what is known about them (XEP-0133 §4). */
import type { Jid } from '@rollcall/jid'
import type { Account, AccountAdmin, Accounts } from '@rollcall/module-api'
import { DataForm, formatDateTime, RosterQuery } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { CommandCaller, FinalStage, FormStage } from '../commands/port.ts'
import type { LastActivity } from '../last-activity/port.ts'
import type { Roster, RosterEntry } from '../roster/port.ts'
import { doneExcept, done, forEachJid, formProblem, formStage, requireLocal, resultForm } from './admin-command.ts'
import type { AdminCommand } from './admin-command.ts'
import { accountForm, accountsForm, addUserForm, passwordForm } from './forms.ts'

export interface UserPorts {
  readonly accounts: Accounts
  readonly admin: AccountAdmin
  readonly roster: Roster
  readonly lastActivity: LastActivity
}

export function userCommands(ports: UserPorts): AdminCommand[] {
  const { accounts, admin } = ports
  return [
    { action: 'add-user', name: 'Add User', start: (caller) => addUser(admin, caller) },
    {
      action: 'delete-user', name: 'Delete User',
      start: (caller) => forAccounts(caller, ['Deleting users', 'The accounts to delete'], 'Deleted', (jid) => {
        refuseOwn(caller, jid)
        return admin.remove(jid.bare)
      }),
    },
    {
      action: 'disable-user', name: 'Disable User',
      start: (caller) => forAccounts(caller, ['Disabling users', 'The accounts to disable'], 'Disabled', (jid) => {
        refuseOwn(caller, jid)
        return admin.setDisabled(jid.bare, true)
      }),
    },
    {
      action: 'reenable-user', name: 'Re-Enable User',
      start: (caller) => forAccounts(caller, ['Re-enabling users', 'The accounts to enable again'], 'Enabled', (jid) => admin.setDisabled(jid.bare, false)),
    },
    {
      action: 'end-user-session', name: 'End User Session',
      start: (caller) =>
        forAccounts(caller, ['Ending sessions', 'The accounts, or full addresses of single sessions'], 'Ended', (jid) => endSessions(accounts, jid)),
    },
    { action: 'change-user-password', name: 'Change User Password', start: (caller) => changePassword(admin, caller) },
    { action: 'get-user-roster', name: 'Get User Roster', start: (caller) => userRoster(ports, caller) },
    { action: 'get-user-lastlogin', name: 'Get User Last Login Time', start: (caller) => lastLogin(ports, caller) },
    { action: 'user-stats', name: 'Get User Statistics', start: (caller) => statistics(ports, caller) },
  ]
}

function addUser(admin: AccountAdmin, { to }: CommandCaller): FormStage {
  return formStage(addUserForm, {}, async ({ jid, password, passwordAgain }) => {
    requireLocal([jid], to)
    if (password !== passwordAgain) throw new StanzaError('not-acceptable', 'The two passwords differ')
    await admin.create(jid, password)
    return done(`Added ${jid.toString()}`)
  })
}

function changePassword(admin: AccountAdmin, { to }: CommandCaller): FormStage {
  return formStage(passwordForm, {}, async ({ jid, password }) => {
    requireLocal([jid], to)
    await admin.setPassword(jid.bare, password)
    return done(`Changed the password of ${jid.bare.toString()}`)
  })
}

/** One form with addresses, and one thing done for each of them. */
function forAccounts(caller: CommandCaller, [title, label]: readonly [string, string], verb: string, act: (jid: Jid) => Promise<void>): FormStage {
  return formStage(accountsForm(title, label), {}, async ({ jids }) => {
    const failures = await forEachJid(requireLocal(jids, caller.to), act)
    return doneExcept(`${verb}: ${jids.map((jid) => jid.toString()).join(', ')}`, failures)
  })
}

/** An administrator who is gone could not say that it was a mistake. */
function refuseOwn({ from }: CommandCaller, jid: Jid): void {
  if (from.bareEquals(jid)) throw new StanzaError('not-allowed', 'This is your own account')
}

/** All sessions of a bare JID, or the one of a full JID. */
async function endSessions(accounts: Accounts, jid: Jid): Promise<void> {
  const isFound = await accounts.use(jid, (account) => {
    const sessions = [...account.sessions.values()].filter((session) => jid.isBare || session.jid.equals(jid))
    for (const session of sessions) session.close('policy-violation', 'The session was ended by an administrator')
    return sessions.length > 0
  })
  if (isFound !== true) throw new StanzaError('item-not-found', 'is not connected')
}

/** Asks about one account in its own order; `item-not-found` when there is none. */
async function about<T>(accounts: Accounts, jid: Jid, ask: (account: Account) => T): Promise<T> {
  const answer = await accounts.use(jid.bare, (account) => ({ value: ask(account) }))
  if (answer === undefined) throw new StanzaError('item-not-found', `There is no account ${jid.bare.toString()}`)
  return answer.value
}

function userRoster({ accounts, roster }: UserPorts, { to }: CommandCaller): FormStage {
  return formStage(accountsForm('A roster', 'The account whose roster to get'), {}, async ({ jids }) => {
    const jid = requireOne(jids, to)
    const items = await about(accounts, jid, (account) => [...roster.items(account)].map(rosterItem))
    // XEP-0133 §4.8 puts the roster into the form, beside the fields.
    const result = DataForm.encode(resultForm([{ var: 'accountjids', label: 'The account', type: 'jid-multi', values: [jid.toString()] }]))
    return { kind: 'final', payload: [result.append(RosterQuery.encode({ items }))] }
  })
}

function rosterItem({ jid, name, groups, subscription, isPendingOut }: RosterEntry) {
  return { jid, subscription, groups, ...(name !== '' && { name }), ...(isPendingOut && { ask: 'subscribe' as const }) }
}

function requireOne(jids: readonly Jid[], host: Jid): Jid {
  const [jid, ...others] = requireLocal(jids, host)
  if (jid === undefined || others.length > 0) throw formProblem('one address is wanted')
  return jid.bare
}

function lastLogin({ accounts, lastActivity }: UserPorts, { to }: CommandCaller): FormStage {
  return formStage(accountsForm('Last login', 'The account whose last login time to get'), {}, async ({ jids }) => {
    const jid = requireOne(jids, to)
    const logins = await about(accounts, jid, (account) => [...account.sessions.values()].map((session) => session.boundAt))
    // Of those who are offline the end of the session is known, not its beginning.
    const at = logins.length > 0 ? Math.max(...logins) : (await lastActivity.lastSeen(jid))?.at
    return {
      kind: 'final',
      form: resultForm([
        { var: 'accountjids', label: 'The account', type: 'jid-multi', values: [jid.toString()] },
        { var: 'lastlogin', label: 'Last login, or last seen', type: 'text-single', values: at === undefined ? [] : [formatDateTime(at)] },
      ]),
    }
  })
}

function statistics({ accounts, roster }: UserPorts, { to }: CommandCaller): FormStage {
  return formStage(accountForm('Statistics of a user', 'The account whose statistics to get'), {}, async ({ jid }): Promise<FinalStage> => {
    requireLocal([jid], to)
    return about(accounts, jid, (account) => {
      const sessions = [...account.sessions.values()]
      const addresses = new Set(sessions.map((session) => session.origin.address))
      return {
        kind: 'final',
        form: resultForm([
          { var: 'ipaddresses', label: 'Addresses of its sessions', type: 'list-multi', values: [...addresses] },
          { var: 'rostersize', label: 'Contacts in its roster', type: 'text-single', values: [String([...roster.items(account)].length)] },
          { var: 'onlineresources', label: 'Connected resources', type: 'text-multi', values: sessions.map((session) => session.jid.resourcepart) },
        ]),
      }
    })
  })
}
