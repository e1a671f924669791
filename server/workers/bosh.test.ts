/** BOSH where the requests of one session reach different members (XEP-0124). */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { HOST, plainAuth, within } from '../edge/testing/edge-harness.ts'
import { modules } from '../modules.generated.ts'
import { Town } from './testing/town.ts'

const NS = 'http://jabber.org/protocol/httpbind'
const RESTART = ` to='${HOST}' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'`

let town: Town
before(async () => {
  town = await Town.start({ modules, members: 2, accounts: ['romeo', 'juliet'], listeners: ['client', 'http'], options: { 'web-push': { enabled: false } } })
})
after(() => town.stop())

function httpPort(id: string): number {
  return town.member(id).server.edge.listeners.find(({ kind }) => kind === 'http')?.port ?? 0
}

async function post(id: string, body: string): Promise<string> {
  const response = await within(fetch(`http://127.0.0.1:${httpPort(id)}/http-bind`, { method: 'POST', body }), `answer to ${body}`)
  assert.equal(response.status, 200)
  return response.text()
}

class Session {
  sid = ''
  #rid = 1000

  /** By a request to that member. */
  async body(id: string, content = '', attributes = ''): Promise<string> {
    return post(id, `<body rid='${this.#rid++}' sid='${this.sid}' xmlns='${NS}'${attributes}>${content}</body>`)
  }

  async start(id: string): Promise<void> {
    const hello = `<body rid='${this.#rid++}' to='${HOST}' wait='60' hold='1' xmpp:version='1.0' xmlns='${NS}' xmlns:xmpp='urn:xmpp:xbosh'/>`
    this.sid = /sid='([^']+)'/.exec(await post(id, hello))?.[1] ?? ''
  }
}

test('each request may reach another member than the one before', async () => {
  const session = new Session()
  await session.start('worker-1')
  assert.match(await session.body('worker-2', plainAuth('romeo')), /<success/)
  assert.match(await session.body('worker-1', '', RESTART), /<stream:features>.*<bind /)
  const bind = "<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>o</resource></bind></iq>"
  assert.match(await session.body('worker-2', bind), /type='result' id='b'/)
  const held = session.body('worker-2')
  const next = session.body('worker-1', `<message to='romeo@${HOST}/o' type='chat' xmlns='jabber:client'><body>wherefore</body></message>`)
  assert.match(await held, /<body>wherefore</)
  await session.body('worker-2', '', " type='terminate'")
  assert.match(await next, /type='terminate'/)
  assert.match(await session.body('worker-1'), /condition='item-not-found'/)
})

test('a session of a member that is not there, or of none, is not found', async () => {
  for (const sid of ['abc.worker-9', 'abc', '.worker-2', 'abc.worker-2']) {
    assert.match(await post('worker-1', `<body rid='5' sid='${sid}' xmlns='${NS}'/>`), /type='terminate' condition='item-not-found'/)
  }
  assert.match(await post('worker-1', `<body rid='x' sid='abc.worker-2' xmlns='${NS}'/>`), /condition='bad-request'/)
})

test('the member that holds the session dies while a request is held', async () => {
  const session = new Session()
  await session.start('worker-2')
  const third = await town.add()
  assert.match(await session.body(third.id, plainAuth('juliet')), /<success/)
  assert.match(await session.body(third.id, '', RESTART), /<stream:features>/)
  await town.kill('worker-2')
  assert.match(await session.body('worker-1'), /condition='item-not-found'/)
})
