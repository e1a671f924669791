/**
 * Whatever order messages, logins, acknowledgements and lost connections come in: every message reaches the account, none
 * that a client has comes again, and the archive has all of them once and in order.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { XmlElement } from '@rollcall/xml'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import archive from './module.ts'

const NS_SM = 'urn:xmpp:sm:3'
const NS_MAM = 'urn:xmpp:mam:2'
const JULIET = 'juliet@capulet.example'

type Step =
  | { readonly kind: 'receive'; readonly sender: number; readonly resource: number | undefined }
  | { readonly kind: 'send' | 'ack' | 'lose' | 'leave'; readonly resource: number }
  | { readonly kind: 'login'; readonly resource: number; readonly priority: number; readonly isManaged: boolean }
  | { readonly kind: 'settle' }

const resource = fc.nat(1)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('receive' as const), sender: fc.nat(1), resource: fc.option(resource, { nil: undefined, freq: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('send' as const, 'lose' as const, 'leave' as const), resource }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ack' as const), resource }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('login' as const), resource, priority: fc.constantFrom(-1, 0, 1), isManaged: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'settle' }) },
)

/** One client of the account, and what it has seen. */
class Client {
  readonly entity: ScriptedEntity
  readonly isManaged: boolean
  readonly messages: XmlElement[] = []
  /** It said goodbye: what is written to it without stream management from then on goes on when it ends. */
  hasLeft = false
  #handled = 0

  constructor(entity: ScriptedEntity, isManaged: boolean) {
    this.entity = entity
    this.isManaged = isManaged
  }

  /** Reads what came; `arrived` is told of every message that the client is now known to have. */
  async read(arrived: (id: string) => void, isAcknowledging: boolean): Promise<void> {
    const stanzas = (await this.entity.all()).filter((element) => ['message', 'presence', 'iq'].includes(element.name))
    this.#handled += stanzas.length
    this.messages.push(...stanzas.filter((element) => element.name === 'message'))
    if (this.isManaged && isAcknowledging) this.entity.send(`<a xmlns='${NS_SM}' h='${this.#handled}'/>`)
    if (!this.isManaged || isAcknowledging) for (const message of this.messages) arrived(idOf(message))
  }
}

const idOf = (message: XmlElement) => message.attribute('id') as string
const isDelayed = (message: XmlElement) => message.child('delay', 'urn:xmpp:delay') !== undefined

class Campaign {
  readonly #host: TestHost
  readonly #senders: readonly ScriptedEntity[]
  readonly #clients: (Client | undefined)[] = [undefined, undefined]
  /** Ids that a client is known to have. */
  readonly #arrived = new Set<string>()
  /** Ids of messages that a client without stream management may have got after its goodbye. */
  readonly #uncertain = new Set<string>()
  readonly #expected: string[] = []
  readonly #sent: string[] = []

  constructor(host: TestHost, senders: readonly ScriptedEntity[]) {
    this.#host = host
    this.#senders = senders
  }

  async play(current: Step): Promise<void> {
    if (current.kind === 'settle') return this.#host.settle()
    if (current.kind === 'receive') return this.#receive(current.sender, current.resource)
    const client = this.#clients[current.resource]
    if (current.kind === 'login') return this.#login(current)
    if (client === undefined) return
    if (current.kind === 'send') {
      this.#sent.push(`sent${this.#sent.length}`)
      client.entity.send(`<message to='romeo@montague.example' type='chat' id='${this.#sent.at(-1)}'><body>O</body></message>`)
    } else if (current.kind === 'leave') {
      client.hasLeft = true
      client.entity.send(`<presence type='unavailable'/>`)
    } else if (current.kind === 'ack') await this.#read(client, true)
    else await this.#lose(current.resource)
  }

  async finish(): Promise<void> {
    for (const at of [0, 1]) await this.#lose(at)
    await this.#login({ resource: 0, priority: 1 })
    await this.#read(this.#clients[0] as Client, true)
    assert.deepEqual([...this.#arrived].sort(), [...this.#expected].sort(), 'lost or invented')
    const archived = await this.#archived()
    assert.deepEqual([...archived].sort(), [...this.#expected, ...this.#sent].sort(), 'archive')
    for (const list of ['sent', 'a', 'b']) {
      const numbers = archived.filter((id) => id.replace(/\d+$/, '') === list).map((id) => Number(id.slice(list.length)))
      assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), `order of ${list} in the archive`)
    }
  }

  #receive(sender: number, at: number | undefined): void {
    const client = at === undefined ? undefined : this.#clients[at]
    const to = client === undefined ? JULIET : client.entity.jid.toString()
    const id = `${'ab'[sender]}${this.#expected.length}`
    this.#expected.push(id)
    const from = sender === 0 ? ` from='romeo@montague.example/orchard'` : ''
    this.#senders[sender]?.send(`<message${from} to='${to}' type='chat' id='${id}'><body>O</body></message>`)
  }

  async #login({ resource: at, priority, isManaged = false }: { resource: number; priority: number; isManaged?: boolean }): Promise<void> {
    await this.#lose(at)
    const entity = await this.#host.connect('juliet', at === 0 ? 'balcony' : 'chamber')
    if (isManaged) entity.send(`<enable xmlns='${NS_SM}' resume='true'/>`)
    entity.send(`<presence><priority>${priority}</priority></presence>`)
    this.#clients[at] = new Client(entity, isManaged)
  }

  async #lose(at: number): Promise<void> {
    const client = this.#clients[at]
    if (client === undefined) return
    // The time that a lost session waits for its client is too long for another one that does not answer the server.
    const lost = this.#clients.filter((other) => other === client || (client.isManaged && other?.isManaged === true))
    for (const one of lost) {
      if (one === undefined) continue
      await this.#read(one, false)
      await this.#host.disconnect(one.entity, 'lost')
      this.#clients[this.#clients.indexOf(one)] = undefined
    }
    if (client.isManaged) await this.#host.advance(700_000)
  }

  async #read(client: Client, isAcknowledging: boolean): Promise<void> {
    const known = client.messages.length
    const before = new Set(this.#arrived)
    await client.read((id) => this.#arrived.add(id), isAcknowledging)
    const ids = client.messages.map(idOf)
    assert.equal(new Set(ids).size, ids.length, `twice in one session: ${ids.join(' ')}`)
    // One with stream management may have been given it before another one acknowledged it.
    if (client.isManaged) return
    for (const message of client.messages.slice(known)) {
      const id = idOf(message)
      assert.ok(!isDelayed(message) || !before.has(id) || this.#uncertain.has(id), `${id} came again`)
      if (client.hasLeft) this.#uncertain.add(id)
    }
  }

  async #archived(): Promise<string[]> {
    const { entity } = this.#clients[0] as Client
    const ids: string[] = []
    let after = ''
    for (let isComplete = false; !isComplete;) {
      entity.send(`<iq type='set' id='q'><query xmlns='${NS_MAM}'><set xmlns='http://jabber.org/protocol/rsm'><max>7</max>${after}</set></query></iq>`)
      const all = await entity.all()
      const fin = all.at(-1)?.child('fin', NS_MAM)
      for (const result of all.slice(0, -1)) {
        ids.push(idOf(result.child('result', NS_MAM)?.elements()[0]?.child('message', 'jabber:client') as XmlElement))
      }
      after = `<after>${fin?.child('set', 'http://jabber.org/protocol/rsm')?.child('last')?.text()}</after>`
      isComplete = fin?.attribute('complete') === 'true'
    }
    return ids
  }
}

async function play(steps: readonly Step[]): Promise<void> {
  const host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules: [roster, presence, archive] })
  try {
    const campaign = new Campaign(host, [await host.component('montague.example'), await host.login('nurse')])
    for (const current of steps) await campaign.play(current)
    await campaign.finish()
  } finally {
    await host.stop()
  }
}

describe('messages of one account', () => {
  it('arrive, are not repeated once a client has them, and are all in the archive in order', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), play), { numRuns: 150 })
  })
})
