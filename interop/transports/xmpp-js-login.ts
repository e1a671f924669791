/**
 * One @xmpp/client installation that logs in with its password, then with nothing but its token, then loses its socket:
 * `xmpp-js-login.ts SERVICE PASSWORD`. Prints facts as JSON.
 */
import { client, xml } from '@xmpp/client'
import type { Client, FastToken } from '@xmpp/client'

const [service = '', password = ''] = process.argv.slice(2)
const userAgent = xml('user-agent', { id: '3c0b6d4e-6a5e-4cf0-9a55-0d0a1f0f7a11' }, xml('software', {}, 'xmpp.js'))

let saved: FastToken | undefined

function installation(secret: string): Client {
  const entity = client({
    service, domain: 'verona.example', resource: 'js', userAgent,
    credentials: { username: 'juliet', password: secret, ...(saved && { token: saved }) },
  })
  entity.fast.saveToken = async (token) => void (saved = token)
  entity.on('error', (error) => console.error(error))
  return entity
}

/** `start` waits for our header only after its own is written, and times out when ours came first: so this waits for the login. */
function online(entity: Client): Promise<string> {
  const address = new Promise<string>((resolve) => entity.on('online', (jid) => resolve(jid.toString())))
  entity.start().catch((error: unknown) => console.error(error))
  return address
}

const first = installation(password)
const withPassword = await online(first)
const token = saved
await first.stop()

// Only the token can let this one in.
const second = installation('forgotten')
const withToken = await online(second)
const resumed = new Promise<void>((resolve) => second.streamManagement.on('resumed', resolve))
second.socket.socket.destroy()
await resumed
const answer = await second.iqCaller.request(xml('iq', { type: 'get' }, xml('list', { xmlns: 'urn:xmpp:cam:0' })))
const clients = (answer.getChild('clients')?.getChildren('client') ?? []).map((entry) => ({
  connected: entry.attrs['connected'], software: entry.getChild('user-agent')?.getChildText('software'),
})).filter(({ software }) => software !== undefined)
await second.stop()
console.log(JSON.stringify({ withPassword, withToken, mechanism: token?.mechanism, clients }))
