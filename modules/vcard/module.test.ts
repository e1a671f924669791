/** XEP-0054 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { defineModule } from '@rollcall/module-api'
import { jidOf } from '@rollcall/jid'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import { answers, refuses } from '../disco/testing/stage.ts'
import vcard from './module.ts'
import { Vcards } from './port.ts'

const CARD = `<vCard xmlns='vcard-temp'><FN>Juliet Capulet — Джульетта</FN><N><FAMILY>Capulet</FAMILY><MIDDLE/></N>
  <PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO><DESC>&lt;in love&gt;</DESC></vCard>`
const get = (to = '') => `<iq type='get' id='v1'${to}><vCard xmlns='vcard-temp'/></iq>`
const set = (card = CARD, to = '') => `<iq type='set' id='v2'${to}>${card}</iq>`
const TO_JULIET = " to='juliet@capulet.example'"

let host: TestHost
let juliet: ScriptedEntity

beforeEach(async () => {
  host = await TestHost.start({ accounts: ['juliet', 'nurse'], modules: [vcard], options: { vcard: { bytesMax: 2_000 } } })
  juliet = await host.connect('juliet', 'balcony')
})
afterEach(() => host.stop())

describe('XEP-0054 §3.1 and §3.2: the own card', () => {
  test('is item-not-found while there is none', async () => {
    await refuses(juliet, get(), 'item-not-found', 'cancel')
    await refuses(juliet, get(TO_JULIET), 'item-not-found', 'cancel')
  })
  test('is kept as it was published, until it is published again', async () => {
    await answers(juliet, set(), "<iq type='result' id='v2' to='juliet@capulet.example/balcony'/>")
    await answers(juliet, get(), `<iq type='result' id='v1' to='juliet@capulet.example/balcony'>${CARD}</iq>`)
    await answers(juliet, set("<vCard xmlns='vcard-temp'><FN>J.</FN></vCard>"), "<iq type='result' id='v2' to='juliet@capulet.example/balcony'/>")
    await answers(juliet, get(), "<iq type='result' id='v1' to='juliet@capulet.example/balcony'><vCard xmlns='vcard-temp'><FN>J.</FN></vCard></iq>")
  })
  test('survives a restart', async () => {
    await juliet.request(set())
    const { storage } = host
    await host.stop()
    host = await TestHost.start({ accounts: ['juliet'], modules: [vcard], storage })
    juliet = await host.connect('juliet', 'balcony')
    await answers(juliet, get(), `<iq type='result' id='v1' to='juliet@capulet.example/balcony'>${CARD}</iq>`)
  })
  test('is refused when it is larger than the limit, and the old one stays', async () => {
    await juliet.request(set())
    await refuses(juliet, set(`<vCard xmlns='vcard-temp'><DESC>${'O Romeo '.repeat(250)}</DESC></vCard>`), 'policy-violation', 'modify')
    await answers(juliet, get(), `<iq type='result' id='v1' to='juliet@capulet.example/balcony'>${CARD}</iq>`)
  })
})

describe('XEP-0054 §3.2 and §3.3: the card of somebody else', () => {
  let nurse: ScriptedEntity
  beforeEach(async () => { nurse = await host.connect('nurse', 'hall') })

  test('may be read by everybody, also from elsewhere, whether its owner is there or not', async () => {
    await juliet.request(set())
    await answers(nurse, get(TO_JULIET), `<iq type='result' id='v1' from='juliet@capulet.example' to='nurse@capulet.example/hall'>${CARD}</iq>`)
    await host.disconnect(juliet)
    const romeo = await host.component('montague.example')
    await answers(romeo, get(`${TO_JULIET} from='romeo@montague.example/orchard'`),
      `<iq type='result' id='v1' from='juliet@capulet.example' to='romeo@montague.example/orchard'>${CARD}</iq>`)
  })
  test('is service-unavailable when there is none, as when there is no account', async () => {
    await refuses(nurse, get(TO_JULIET), 'service-unavailable', 'cancel')
    await refuses(nurse, get(" to='tybalt@capulet.example'"), 'service-unavailable', 'cancel')
  })
  test('cannot be written', async () => {
    await juliet.request(set())
    await refuses(nurse, set("<vCard xmlns='vcard-temp'><FN>Tybalt</FN></vCard>", TO_JULIET), 'forbidden', 'auth')
    await refuses(nurse, set("<vCard xmlns='vcard-temp'/>", " to='tybalt@capulet.example'"), 'forbidden', 'auth')
    await answers(juliet, get(), `<iq type='result' id='v1' to='juliet@capulet.example/balcony'>${CARD}</iq>`)
  })
})

test('the port gives and takes cards of any account', async () => {
  let vcards: Vcards | undefined
  const reader = defineModule({
    name: 'reader', summary: 'Reads cards.', implements: [], needs: { vcards: Vcards },
    setup({ ports }) { vcards = ports.vcards },
  })
  await host.stop()
  host = await TestHost.start({ accounts: ['juliet'], modules: [vcard, reader] })
  juliet = await host.connect('juliet', 'balcony')
  await juliet.request(set())
  const jid = jidOf('juliet', 'capulet.example')
  const card = await vcards?.get(jid)
  assert.equal(card?.childText('FN'), 'Juliet Capulet — Джульетта')
  card?.child('FN')?.children.splice(0, 1, 'Juliet Montague')
  if (card !== undefined) await vcards?.set(jid.withResource('balcony'), card)
  const answer = await juliet.request(get())
  assert.equal(answer.child('vCard', 'vcard-temp')?.childText('FN'), 'Juliet Montague')
  assert.equal(await vcards?.get(jidOf('tybalt', 'capulet.example')), undefined)
})
