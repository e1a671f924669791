/** Administration of hosts by ad-hoc commands, for the administrators that the config file names. */
import {
  AccountAdmin, accountCreated, Accounts, defineModule, keyvalStore, Members, resourceAvailable, Router, ServerControl, ServerInfo,
} from '@rollcall/module-api'
import { Log, Random } from '@rollcall/ports'
import { Commands } from '../commands/port.ts'
import { LastActivity } from '../last-activity/port.ts'
import { Roster } from '../roster/port.ts'
import { AccountQuestions } from './account-questions.ts'
import { adminCommand } from './admin-command.ts'
import { listCommands } from './list-commands.ts'
import { noticeCommands } from './notice-commands.ts'
import { Notices } from './notices.ts'
import type { Motd } from './notices.ts'
import { userCommands } from './user-commands.ts'

export default defineModule({
  name: 'service-admin',
  summary: 'Commands for administrators: accounts, sessions, announcements, shutdown.',
  implements: [{
    xep: 133, version: '1.3.1', status: 'partial',
    note: 'without black and white lists, lists of disabled users, the list of administrators (it is in the config file) and restart',
  }],
  stores: {
    motds: keyvalStore<Motd>('motd'),
    seen: keyvalStore<string>('motd_seen'),
    welcomes: keyvalStore<string>('welcome'),
  },
  needs: {
    accounts: Accounts, admin: AccountAdmin, members: Members, router: Router, random: Random, log: Log, server: ServerInfo,
    control: ServerControl, commands: Commands, roster: Roster, lastActivity: LastActivity,
  },
  async setup({ stores, ports, on }) {
    const notices = new Notices({ ...ports, ...stores })
    await notices.load(ports.server.hosts)
    ports.members.onCome(() => void notices.reload(ports.server.hosts))
    const questions = new AccountQuestions(ports)
    on(resourceAvailable, 'late', ({ session }) => notices.greet(session))
    on(accountCreated, 'late', ({ jid }) => void notices.welcomeUser(jid))
    for (const command of [...userCommands({ ...ports, questions }), ...listCommands(ports), ...noticeCommands(notices, ports.control)]) {
      ports.commands.add(adminCommand(ports, command))
    }
  },
})
