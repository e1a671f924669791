/**
 * Ad-hoc commands: the framework. Other modules add commands by the `Commands` port; here are their lists in service
 * discovery, their sessions, and the protocol between stages.
 */
import { defineModule, option } from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import { Clock, Metrics, Random } from '@rollcall/ports'
import { NS_COMMANDS, NS_DATA_FORM } from '@rollcall/protocol'
import type { DiscoItem } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import { Disco } from '../disco/port.ts'
import type { DiscoNode, DiscoQuery } from '../disco/port.ts'
import { Commands } from './port.ts'
import type { CommandCaller, CommandDefinition, CommandScope } from './port.ts'
import { commandRequest, CommandRunner } from './runner.ts'
import { CommandSessions } from './sessions.ts'

type CommandTable = Readonly<Record<CommandScope, Map<string, CommandDefinition>>>

export default defineModule({
  name: 'commands',
  summary: 'Commands for people, filled in as forms.',
  implements: [{ xep: 50, version: '1.3.0', status: 'complete' }],
  features: { host: [NS_COMMANDS], account: [NS_COMMANDS] },
  config: {
    sessionsMax: option.integer(10_000, 1, 1_000_000, 'Commands that wait for their next form to be filled in.'),
    sessionsPerUserMax: option.integer(10, 1, 1_000, 'The same, of one user.'),
    sessionTimeoutMs: option.integer(600_000, 1_000, 86_400_000, 'How long a command waits for its form, in ms.'),
  },
  needs: { clock: Clock, random: Random, metrics: Metrics, disco: Disco },
  provides: [Commands],
  setup({ config, ports: { clock, random, metrics, disco }, provide, onIqSet }) {
    const table: CommandTable = { host: new Map(), account: new Map() }
    const sessions = new CommandSessions(clock, random, config)
    metrics.observedGauge('rollcall_command_sessions', 'Ad-hoc commands that wait for a form.', () => sessions.size)
    provide(Commands, {
      add(command) {
        const commands = table[command.scope]
        if (commands.has(command.node)) throw new Error(`Two commands have the node '${command.node}'`)
        commands.set(command.node, command)
      },
    })
    for (const scope of ['host', 'account'] as const) {
      disco.addNode(scope, (node, query) => (node === NS_COMMANDS ? listNode(table[scope], query) : commandNode(table[scope], node, query)))
    }
    const runner = new CommandRunner(sessions)
    onIqSet(commandRequest, 'host', ({ payload, from, to }) => runner.run(table.host, payload, { from, to, account: undefined }))
    onIqSet(commandRequest, 'account', ({ payload, from, to, account }) => {
      const caller = { from, to, account }
      requireSomething(table.account, caller, account)
      return runner.run(table.account, payload, caller)
    })
  },
})

/** Strangers learn nothing from the commands of an account, not even that it exists: the answer of RFC 6121 §8.5.1. */
function requireSomething(commands: ReadonlyMap<string, CommandDefinition>, caller: CommandCaller, account: Account): void {
  if (caller.from.bareEquals(account.jid)) return
  if (![...commands.values()].some((command) => command.mayRun(caller))) throw new StanzaError('service-unavailable')
}

/** XEP-0050 §2.2: the list of commands, of those that the asker may run. */
function listNode(commands: ReadonlyMap<string, CommandDefinition>, query: DiscoQuery): DiscoNode {
  return {
    info: () => ({
      identities: [{ category: 'automation', type: 'command-list', name: 'Commands' }],
      features: [{ var: NS_COMMANDS }],
      forms: [],
    }),
    items: () => [...commands.values()].filter((command) => command.mayRun(query)).map(({ node, name }): DiscoItem => ({ jid: query.to, node, name })),
  }
}

function commandNode(commands: ReadonlyMap<string, CommandDefinition>, node: string, query: DiscoQuery): DiscoNode | undefined {
  const command = commands.get(node)
  if (command === undefined) return undefined
  if (!command.mayRun(query)) throw new StanzaError('forbidden')
  return {
    info: () => ({
      identities: [{ category: 'automation', type: 'command-node', name: command.name }],
      features: [{ var: NS_COMMANDS }, { var: NS_DATA_FORM }],
      forms: [],
    }),
    items: () => [],
  }
}
