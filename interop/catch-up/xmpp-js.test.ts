/**
 * A chat client made of @xmpp/client, over WebSocket: what its application was given, in that order. The library resumes
 * by itself (XEP-0198); the archive (XEP-0313) is the application's part, as with slixmpp.
 */
import { after } from 'node:test'
import { client, xml } from '@xmpp/client'
import type { Client, XmlElement } from '@xmpp/client'
import { HOST } from '../harness.ts'
import { juliet, ROMEO, tellStory } from './story.ts'
import type { ChatClient, Place } from './story.ts'

const LOGIN_TIMEOUT_MS = 30_000
const PAGE_MESSAGES = 5
const PAGES_MAX = 20
const ACCOUNT = `${juliet.localpart}@${HOST}`
const NS_ARCHIVE = 'urn:xmpp:mam:2'
const NS_CARBONS = 'urn:xmpp:carbons:2'

class Conversation {
  readonly texts: string[] = []
  readonly #known = new Set<string>()
  #lastArchived = ''
  /** Live messages that wait until the archive was asked. */
  #held: XmlElement[] | undefined

  async online(entity: Client): Promise<void> {
    this.#held = []
    await entity.send(xml('presence'))
    await entity.iqCaller.request(xml('iq', { type: 'set' }, xml('enable', { xmlns: NS_CARBONS })))
    for (let page = 0; page < PAGES_MAX; page++) if (await this.#readPage(entity)) break
    const held = this.#held
    this.#held = undefined
    for (const message of held) this.#show(message)
  }

  receive(stanza: XmlElement): void {
    if (!stanza.is('message')) return
    const result = stanza.getChild('result', NS_ARCHIVE)
    const copy = stanza.getChild('received', NS_CARBONS) ?? stanza.getChild('sent', NS_CARBONS)
    const message = (result ?? copy)?.getChild('forwarded')?.getChild('message') ?? stanza
    if (result !== undefined) this.#show(message, result.attrs['id'])
    else if (this.#held !== undefined) this.#held.push(message)
    else this.#show(message)
  }

  /** Shows a message that this client sends, under the id that it gives it. */
  sent(id: string, text: string): void {
    this.#known.add(`own ${id}`)
    this.texts.push(text)
  }

  /** True when it was the last. */
  async #readPage(entity: Client): Promise<boolean> {
    const set = xml('set', { xmlns: 'http://jabber.org/protocol/rsm' }, xml('max', {}, String(PAGE_MESSAGES)), xml('after', {}, this.#lastArchived))
    const answer = await entity.iqCaller.request(xml('iq', { type: 'set' }, xml('query', { xmlns: NS_ARCHIVE }, set)))
    return answer.getChild('fin', NS_ARCHIVE)?.attrs['complete'] === 'true'
  }

  #show(message: XmlElement, archiveId = archiveIdOf(message)): void {
    const text = message.getChildText('body')
    if (text === null || message.attrs['type'] === 'error') return
    const isOwn = message.attrs['from']?.startsWith(`${ACCOUNT}/`) === true
    const ids = [...(archiveId === undefined ? [] : [`archive ${archiveId}`]), ...(isOwn ? [`own ${message.attrs['id']}`] : [])]
    if (archiveId !== undefined) this.#lastArchived = archiveId
    const isKnown = ids.some((id) => this.#known.has(id))
    for (const id of ids) this.#known.add(id)
    if (!isKnown) this.texts.push(text)
  }
}

function archiveIdOf(message: XmlElement): string | undefined {
  return message.getChildren('stanza-id').find(({ attrs }) => attrs['by'] === ACCOUNT)?.attrs['id']
}

function xmppJs({ relay }: Place): ChatClient {
  const conversation = new Conversation()
  let entity: Client | undefined
  let count = 0
  after(() => entity?.stop())
  return {
    asksArchive: true,
    async logIn() {
      const { localpart: username, password } = juliet
      const started = client({ service: `ws://127.0.0.1:${relay.port}/ws`, domain: HOST, resource: 'js', username, password })
      entity = started
      // It says so each time that it cannot connect, and tries again.
      started.on('error', () => {})
      started.on('stanza', (stanza) => conversation.receive(stanza))
      await new Promise<void>((resolve, reject) => {
        setTimeout(() => reject(new Error(`not online within ${LOGIN_TIMEOUT_MS} ms`)), LOGIN_TIMEOUT_MS).unref()
        // Not after a resumption.
        started.on('online', () => void conversation.online(started).then(resolve, reject))
        started.start().catch(() => {})
      })
    },
    async say(text) {
      const id = `js.${++count}`
      conversation.sent(id, text)
      await entity?.send(xml('message', { to: ROMEO, type: 'chat', id }, xml('body', {}, text)))
    },
    shown: () => Promise.resolve([...conversation.texts]),
  }
}

tellStory('@xmpp/client', 'http', xmppJs)
