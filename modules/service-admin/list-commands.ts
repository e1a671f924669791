/** Commands that count and list users: registered, online, active, idle (XEP-0133 §4). */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Account, AccountAdmin, Accounts, Members } from '@rollcall/module-api'
import { NS_CLIENT } from '@rollcall/stanza'
import type { CommandStage } from '../commands/port.ts'
import { formStage, resultForm } from './admin-command.ts'
import type { AdminCommand } from './admin-command.ts'
import { listForm } from './forms.ts'

const LIST_DEFAULT = '25'

interface Group {
  /** As in the nodes: `registered`, `online`, … */
  readonly word: string
  readonly label: string
  readonly listVar: string
  count(host: string): Promise<number>
  /** At most `limit`, in text order where that costs nothing. */
  list(host: string, limit: number): Promise<readonly Jid[]>
}

export interface ListPorts {
  readonly accounts: Accounts
  readonly admin: AccountAdmin
  readonly members: Members
}

/** Types, not interfaces, so that they count as JSON. */
type OnlineAsked = { readonly host: string; readonly limit: number }
type OnlineAnswer = { readonly count: number; readonly accounts: readonly string[] }

export function listCommands(ports: ListPorts): AdminCommand[] {
  const online = (word: string, label: string, listVar: string, isMember: (account: Account) => boolean): Group => {
    const question = ports.members.question<OnlineAsked, OnlineAnswer>(`service-admin/${word}`, ({ host, limit }) => {
      const jids = [...onlineAccounts(ports.accounts, host, isMember)]
      return { count: jids.length, accounts: jids.slice(0, limit).map((jid) => jid.toString()) }
    })
    return {
      word, label, listVar,
      count: async (host) => (await question.all({ host, limit: 0 })).reduce((sum, { count }) => sum + count, 0),
      list: async (host, limit) => (await question.all({ host, limit })).flatMap(({ accounts }) => accounts).slice(0, limit).map(parseJid),
    }
  }
  const groups: readonly Group[] = [
    {
      word: 'registered', label: 'Registered', listVar: 'registereduserjids',
      count: (host) => ports.admin.count(host),
      list: (host, limit) => ports.admin.list(host, undefined, limit),
    },
    online('online', 'Online', 'onlineuserjids', () => true),
    online('active', 'Active', 'activeuserjids', isActive),
    // XEP-0133 has no field of its own for idle users; its example uses this one.
    online('idle', 'Idle', 'activeuserjids', (account) => !isActive(account)),
  ]
  return groups.flatMap((group) => [numberCommand(group), listCommand(group)])
}

function numberCommand({ word, label, count }: Group): AdminCommand {
  return {
    action: `get-${word}-users-num`,
    name: `Get Number of ${label} Users`,
    start: async ({ to }): Promise<CommandStage> => ({
      kind: 'final',
      form: resultForm([{ var: `${word}usersnum`, label: `Number of ${word} users`, type: 'text-single', values: [String(await count(to.domainpart))] }]),
    }),
  }
}

function listCommand({ word, label, listVar, list }: Group): AdminCommand {
  return {
    action: `get-${word}-users-list`,
    name: `Get List of ${label} Users`,
    start: ({ to }) => formStage(listForm(`${label} users`), { max: LIST_DEFAULT }, async ({ max }) => {
      const jids = await list(to.domainpart, Number(max ?? LIST_DEFAULT))
      return {
        kind: 'final',
        form: resultForm([{ var: listVar, label: `${label} users`, type: 'jid-multi', values: jids.map((jid) => jid.toString()) }]),
      }
    }),
  }
}

function* onlineAccounts(accounts: Accounts, host: string, isMember: (account: Account) => boolean): Iterable<Jid> {
  for (const account of accounts.online()) if (account.jid.domainpart === host && isMember(account)) yield account.jid
}

/** Somebody is there: a resource is available and not away (RFC 6121 §4.7.2.1). */
function isActive(account: Account): boolean {
  for (const { presence } of account.availableSessions()) {
    const show = presence?.find('show', NS_CLIENT)
    const word = show === undefined ? '' : presence?.element(show).text()
    if (word !== 'away' && word !== 'xa') return true
  }
  return false
}
