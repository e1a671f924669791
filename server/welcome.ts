/** What a person reads when the server is up: where to chat, with which accounts, and how the demo ends. */
import type { ServerConfig } from './config/index.ts'
import { demoAccounts } from './demo.ts'
import type { BoundListener } from './edge/listeners.ts'
import { endpointText } from './runtime/index.ts'

/** The addresses that a listener of every address is reached by on this machine. */
const ownAddress = (address: string): string => (address === '::' || address === '0.0.0.0' ? 'localhost' : address)

/** The text, with a line end; where nothing is served over HTTP it names the ports for clients only. */
export function welcomeText(config: ServerConfig, listeners: readonly BoundListener[]): string {
  const host = config.core.hosts[0] ?? 'localhost'
  const web = listeners.find(({ kind }) => kind === 'http') ?? listeners.find(({ kind }) => kind === 'https')
  const client = listeners.find(({ kind }) => kind === 'client')
  const lines = ['', `Rollcall serves ${config.core.hosts.join(', ')}`, '']
  if (web !== undefined) lines.push(`  Chat in the browser   ${web.kind}://${endpointText(ownAddress(web.address), web.port)}/`)
  if (client !== undefined) lines.push(`  Other XMPP clients    ${endpointText(ownAddress(client.address), client.port)} as somebody@${host}`)
  if (config.isDemo) {
    const accounts = demoAccounts.map(({ localpart, password }) => `${localpart}@${host} (password ${password})`)
    lines.push(`  Demo accounts         ${accounts.join(', ')}`, '', ...demoNotice)
  }
  return `${[...lines, ''].join('\n')}\n`
}

const demoNotice = [
  'The demo is on: anybody who reaches this server can log in with these passwords.',
  'To turn it off, write a config file with your own hosts, or with "demo: off":',
  '  npx rollcall config example > rollcall.yaml',
  '  npx rollcall start --config rollcall.yaml',
]
