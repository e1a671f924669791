/**
 * Whoever writes to the client under test, from elsewhere: @xmpp/client, on a connection that nothing disturbs.
 *
 * It never says that it is available, so nothing but its messages reaches anybody.
 */
import { client, xml } from '@xmpp/client'
import type { Account, RollcallProcess } from '../harness.ts'

const TIMEOUT_MS = 30_000

/** Logs in as `account`, sends a chat message with each text to the account `to`, and leaves when the server has acknowledged all. */
export async function sendAll(server: RollcallProcess, account: Account, to: string, texts: readonly string[]): Promise<void> {
  const { localpart: username, password } = account
  const entity = client({ service: `ws://127.0.0.1:${server.ports.http}/ws`, domain: server.host, resource: 'elsewhere', username, password })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(new Error(`${username} could not send within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  entity.on('error', reject)
  let acknowledged = 0
  entity.streamManagement.on('ack', (stanza) => {
    if (stanza.is('message') && ++acknowledged === texts.length) resolve()
  })
  // Only what it sends from then on is acknowledged.
  entity.on('nonza', (element) => {
    if (!element.is('enabled')) return
    const messages = texts.map((text, index) =>
      xml('message', { to: `${to}@${server.host}`, type: 'chat', id: `${text}.${index}` }, xml('body', {}, text)))
    void (async () => { for (const message of messages) await entity.send(message) })().catch(reject)
  })
  try {
    // It begins to listen for our header when its own is written, and reports a timeout when ours was faster: the login goes on.
    entity.start().catch(() => {})
    await promise
  } finally {
    clearTimeout(timer)
    await entity.stop().catch(() => {})
  }
}
