/** Commands about accounts: make, delete, disable, end sessions, passwords, and what is known about them (XEP-0133 §4). */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { AccountAdmin } from '@rollcall/module-api'
import { DataForm, formatDateTime, RosterQuery } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { CommandCaller, FinalStage, FormStage } from '../commands/port.ts'
import type { LastActivity } from '../last-activity/port.ts'
import type { AccountQuestions, RosterItem } from './account-questions.ts'
import { doneExcept, done, forEachJid, formProblem, formStage, requireLocal, resultForm } from './admin-command.ts'
import type { AdminCommand } from './admin-command.ts'
import { accountForm, accountsForm, addUserForm, passwordForm } from './forms.ts'

export interface UserPorts {
  readonly admin: AccountAdmin
  readonly lastActivity: LastActivity
  readonly questions: AccountQuestions
}

export function userCommands(ports: UserPorts): AdminCommand[] {
  const { admin, questions } = ports
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
        forAccounts(caller, ['Ending sessions', 'The accounts, or full addresses of single sessions'], 'Ended', (jid) => questions.endSessions(jid)),
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

function userRoster({ questions }: UserPorts, { to }: CommandCaller): FormStage {
  return formStage(accountsForm('A roster', 'The account whose roster to get'), {}, async ({ jids }) => {
    const jid = requireOne(jids, to)
    const items = (await questions.roster(jid)).map(rosterItem)
    // XEP-0133 §4.8 puts the roster into the form, beside the fields.
    const result = DataForm.encode(resultForm([{ var: 'accountjids', label: 'The account', type: 'jid-multi', values: [jid.toString()] }]))
    return { kind: 'final', payload: [result.append(RosterQuery.encode({ items }))] }
  })
}

function rosterItem({ jid, name, groups, subscription, isPendingOut }: RosterItem) {
  return { jid: parseJid(jid), subscription, groups, ...(name !== '' && { name }), ...(isPendingOut && { ask: 'subscribe' as const }) }
}

function requireOne(jids: readonly Jid[], host: Jid): Jid {
  const [jid, ...others] = requireLocal(jids, host)
  if (jid === undefined || others.length > 0) throw formProblem('one address is wanted')
  return jid.bare
}

function lastLogin({ lastActivity, questions }: UserPorts, { to }: CommandCaller): FormStage {
  return formStage(accountsForm('Last login', 'The account whose last login time to get'), {}, async ({ jids }) => {
    const jid = requireOne(jids, to)
    const { lastBoundAt } = await questions.facts(jid)
    // Of those who are offline the end of the session is known, not its beginning.
    const at = lastBoundAt ?? (await lastActivity.lastSeen(jid))?.at
    return {
      kind: 'final',
      form: resultForm([
        { var: 'accountjids', label: 'The account', type: 'jid-multi', values: [jid.toString()] },
        { var: 'lastlogin', label: 'Last login, or last seen', type: 'text-single', values: at === undefined ? [] : [formatDateTime(at)] },
      ]),
    }
  })
}

function statistics({ questions }: UserPorts, { to }: CommandCaller): FormStage {
  return formStage(accountForm('Statistics of a user', 'The account whose statistics to get'), {}, async ({ jid }): Promise<FinalStage> => {
    requireLocal([jid], to)
    const { addresses, contactCount, resources } = await questions.facts(jid)
    return {
      kind: 'final',
      form: resultForm([
        { var: 'ipaddresses', label: 'Addresses of its sessions', type: 'list-multi', values: addresses },
        { var: 'rostersize', label: 'Contacts in its roster', type: 'text-single', values: [String(contactCount)] },
        { var: 'onlineresources', label: 'Connected resources', type: 'text-multi', values: resources },
      ]),
    }
  })
}
