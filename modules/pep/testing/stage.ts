/** What wire scripts about personal eventing begin with: a host with everything it needs, and clients that want to hear. */
import { createHash } from 'node:crypto'
import type { AnyModule } from '@rollcall/module-api'
import { DiscoInfo } from '@rollcall/protocol'
import { parseText } from '@rollcall/xml'
import type { ScriptedEntity } from '../../../server/testing/scripted-entity.ts'
import { TestHost } from '../../../server/testing/test-host.ts'
import type { TestHostOptions } from '../../../server/testing/test-host.ts'
import blocking from '../../blocking/module.ts'
import { capsInput } from '../../caps/hash-input.ts'
import caps from '../../caps/module.ts'
import disco from '../../disco/module.ts'
import presence from '../../presence/module.ts'
import roster from '../../roster/module.ts'
import pep from '../module.ts'

const NS_INFO = 'http://jabber.org/protocol/disco#info'
export const pepModules: readonly AnyModule[] = [roster, presence, disco, caps, blocking, pep]

export function startPep(options: Partial<TestHostOptions> = {}, more: readonly AnyModule[] = []): Promise<TestHost> {
  return TestHost.start({ accounts: ['juliet', 'nurse', 'tybalt'], modules: [...pepModules, ...more], ...options })
}

const infoOf = (wants: readonly string[]) =>
  `<identity category='client' type='phone'/>${wants.map((node) => `<feature var='${node}+notify'/>`).join('')}`

/** Presence of a client that wants to hear of these nodes. */
export function presenceWanting(wants: readonly string[], attributes = ''): string {
  const input = capsInput(DiscoInfo.decode(parseText(`<query xmlns='${NS_INFO}'>${infoOf(wants)}</query>`, '')))
  const ver = createHash('sha1').update(input ?? '').digest('base64')
  return `<presence${attributes}><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example' ver='${ver}'/></presence>`
}

/** Answers a question about the client that has just been received, if there is one. */
export async function tellWants(host: TestHost, entity: ScriptedEntity, wants: readonly string[]): Promise<void> {
  const received = await entity.all()
  for (const question of received) {
    if (question.attribute('type') !== 'get' || question.child('query', NS_INFO) === undefined) continue
    const from = entity.domain === '' ? '' : ` from='${question.attribute('to')}'`
    const node = question.child('query', NS_INFO)?.attribute('node')
    entity.send(`<iq type='result' id='${question.attribute('id')}' to='${question.attribute('from')}'${from}><query xmlns='${NS_INFO}'${
      node === undefined ? '' : ` node='${node}'`}>${infoOf(wants)}</query></iq>`)
  }
  await host.settle()
}

/** A session that is available, wants to hear of these nodes, and has received nothing yet but what that sets off. */
export async function loginWanting(host: TestHost, localpart: string, resourcepart: string, wants: readonly string[]): Promise<ScriptedEntity> {
  const entity = await host.connect(localpart, resourcepart)
  entity.send(presenceWanting(wants))
  await host.settle()
  await tellWants(host, entity, wants)
  return entity
}

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
export const MOOD = 'urn:example:mood'

export const mood = (text: string) => `<mood xmlns='${MOOD}'>${text}</mood>`

const texts = (value: string | readonly string[]) => [value].flat().map((one) => `<value>${one}</value>`).join('')

/** Options of a publication, or of a node. */
export const submitted = (kind: 'publish-options' | 'node_config', values: Readonly<Record<string, string | readonly string[]>>) =>
  `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS_PUBSUB}#${kind}</value></field>${
    Object.entries(values).map(([name, value]) => `<field var='pubsub#${name}'>${texts(value)}</field>`).join('')}</x>`

export function publish(node: string, item: string, options?: Readonly<Record<string, string | readonly string[]>>, to = ''): string {
  const form = options === undefined ? '' : `<publish-options>${submitted('publish-options', options)}</publish-options>`
  return `<iq type='set' id='p1'${to}><pubsub xmlns='${NS_PUBSUB}'><publish node='${node}'>${item}</publish>${form}</pubsub></iq>`
}

export const pubsub = (type: 'get' | 'set', content: string, to = '') => `<iq type='${type}' id='q1'${to}><pubsub xmlns='${NS_PUBSUB}'>${content}</pubsub></iq>`
export const owner = (type: 'get' | 'set', content: string, to = '') =>
  `<iq type='${type}' id='o1'${to}><pubsub xmlns='${NS_PUBSUB}#owner'>${content}</pubsub></iq>`

/** A notification as it must be received. */
export const event = (from: string, to: string, content: string, more = '') =>
  `<message from='${from}' to='${to}' type='headline' id='{any}'><event xmlns='${NS_PUBSUB}#event'>${content}</event>${more}</message>`
