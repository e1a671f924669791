/** XEP-0199 as wire scripts. */
import { afterEach, beforeEach, describe, test } from 'node:test'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import { answers, refuses, subscribe } from '../disco/testing/stage.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import ping from './module.ts'

const ask = (to: string) => `<iq type='get' id='p1'${to}><ping xmlns='urn:xmpp:ping'/></iq>`

describe('XEP-0199 §4', () => {
  let host: TestHost
  let juliet: ScriptedEntity

  beforeEach(async () => {
    host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules: [roster, presence, ping] })
    juliet = await host.login('juliet', 'balcony')
  })
  afterEach(() => host.stop())

  test('§4.2: a host answers a client', async () => {
    await answers(juliet, ask(" to='capulet.example'"), "<iq type='result' id='p1' from='capulet.example' to='juliet@capulet.example/balcony'/>")
  })
  test('§4.2: so does the own account, addressed or not', async () => {
    await answers(juliet, ask(" to='juliet@capulet.example'"), "<iq type='result' id='p1' from='juliet@capulet.example' to='juliet@capulet.example/balcony'/>")
    await answers(juliet, ask(''), "<iq type='result' id='p1' to='juliet@capulet.example/balcony'/>")
  })
  test('§4.3: a host answers another server', async () => {
    const montague = await host.component('montague.example')
    await answers(montague, ask(" from='montague.example' to='capulet.example'"), "<iq type='result' id='p1' from='capulet.example' to='montague.example'/>")
  })
  test('§4.4: a ping to a client is the client\'s to answer', async () => {
    const nurse = await host.login('nurse', 'hall')
    nurse.send(ask(" to='juliet@capulet.example/balcony'"))
    await juliet.receives("<iq type='get' id='p1' from='nurse@capulet.example/hall' to='juliet@capulet.example/balcony'><ping xmlns='urn:xmpp:ping'/></iq>")
    juliet.send("<iq type='result' id='p1' to='nurse@capulet.example/hall'/>")
    await nurse.receives("<iq type='result' id='p1' from='juliet@capulet.example/balcony' to='nurse@capulet.example/hall'/>")
  })
  test('§7: the account of somebody else answers only those who may see its presence', async () => {
    const nurse = await host.login('nurse', 'hall')
    await refuses(nurse, ask(" to='juliet@capulet.example'"), 'service-unavailable', 'cancel')
    await refuses(nurse, ask(" to='tybalt@capulet.example'"), 'service-unavailable', 'cancel')
    await subscribe(host, nurse, juliet)
    await answers(nurse, ask(" to='juliet@capulet.example'"), "<iq type='result' id='p1' from='juliet@capulet.example' to='nurse@capulet.example/hall'/>")
  })
})
