/**
 * Two @xmpp/client clients that chat over the transport in the arguments: `xmpp-js-chat.ts SERVICE`. Prints facts as JSON.
 *
 * In a process of its own, because whether Node checks certificates is a matter of its environment.
 */
import { client, xml } from '@xmpp/client'
import type { Client, XmlElement } from '@xmpp/client'

const DOMAIN = 'verona.example'
const WAIT_MS = 15_000

const [service = '', romeoPassword = '', julietPassword = ''] = process.argv.slice(2)

interface Peer {
  readonly client: Client
  readonly address: string
  /** The first stanza that matches and has not been taken. */
  next(matches: (stanza: XmlElement) => boolean): Promise<XmlElement>
}

/**
 * COMPAT(@xmpp/client 0.14): `start` begins to listen for the server's stream header when its own has been written, so it
 * misses an answer that is faster than that callback and times out, while the login goes on. So this waits for the login.
 */
async function logIn(username: string, password: string): Promise<Peer> {
  const entity = client({ service, domain: DOMAIN, resource: 'js', username, password })
  const inbox: XmlElement[] = []
  const waiting: { matches: (stanza: XmlElement) => boolean; resolve: (stanza: XmlElement) => void }[] = []
  entity.on('error', (error) => console.error(username, error))
  entity.on('stanza', (stanza) => {
    const index = waiting.findIndex(({ matches }) => matches(stanza))
    if (index === -1) inbox.push(stanza)
    else waiting.splice(index, 1)[0]?.resolve(stanza)
  })
  const online = new Promise<string>((resolve) => entity.on('online', (jid) => resolve(jid.toString())))
  entity.start().catch((error: unknown) => console.error(error))
  const address = await online
  return {
    client: entity,
    address,
    next(matches) {
      const index = inbox.findIndex(matches)
      const found = index === -1 ? undefined : inbox.splice(index, 1)[0]
      return found === undefined ? new Promise((resolve) => waiting.push({ matches, resolve })) : Promise.resolve(found)
    },
  }
}

async function chat(): Promise<Record<string, unknown>> {
  const romeo = await logIn('romeo', romeoPassword)
  const juliet = await logIn('juliet', julietPassword)
  const roster = await romeo.client.iqCaller.get(xml('query', { xmlns: 'jabber:iq:roster' }))
  await romeo.client.send(xml('presence'))
  await juliet.client.send(xml('presence', {}, xml('status', {}, 'Ay me')))
  const presence = await romeo.next((stanza) => stanza.is('presence') && stanza.attrs['from'] === juliet.address)
  await romeo.client.send(xml('message', { to: juliet.address, type: 'chat' }, xml('body', {}, 'by yonder blessed moon ☾ <&>')))
  const there = await juliet.next((stanza) => stanza.getChildText('body') !== null)
  await juliet.client.send(xml('message', { to: there.attrs['from'] ?? '', type: 'chat' }, xml('body', {}, 'O, swear not by the moon')))
  const back = await romeo.next((stanza) => stanza.getChildText('body') !== null)
  await juliet.client.stop()
  const gone = await romeo.next((stanza) => stanza.is('presence') && stanza.attrs['type'] === 'unavailable')
  await romeo.client.stop()
  return {
    addresses: [romeo.address, juliet.address], contact: roster.getChild('item')?.attrs['jid'], status: presence.getChildText('status'),
    there: there.getChildText('body'), back: back.getChildText('body'), gone: gone.attrs['from'],
  }
}

// Ends what hangs; the caller sees the exit code.
setTimeout(() => process.exit(1), WAIT_MS).unref()
console.log(JSON.stringify(await chat()))
process.exit(0)
