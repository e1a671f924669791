/** XEP-0157 as wire scripts. */
import { describe, test } from 'node:test'
import assert from 'node:assert/strict'
import { parseText } from '@rollcall/xml'
import { TestHost } from '../../server/testing/test-host.ts'
import { matches } from '../../server/testing/scripted-entity.ts'
import disco from '../disco/module.ts'
import presence from '../presence/module.ts'
import roster from '../roster/module.ts'
import contactAddresses from './module.ts'

async function formOf(contacts: Readonly<Record<string, readonly string[]>>) {
  const host = await TestHost.start({ accounts: ['juliet'], modules: [roster, presence, disco, contactAddresses], contacts })
  const juliet = await host.login('juliet', 'balcony')
  const answer = await juliet.request("<iq type='get' id='d1' to='capulet.example'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
  await host.stop()
  return answer.elements()[0]?.child('x', 'jabber:x:data')
}

describe('XEP-0157 §3', () => {
  test('disco information of a host has the addresses of the configuration', async () => {
    const form = await formOf({
      abuse: ['mailto:abuse@capulet.example', 'xmpp:prince@capulet.example'], security: ['mailto:watch@capulet.example'],
      status: ['https://status.capulet.example'],
    })
    assert.ok(form !== undefined && matches(form, parseText(`<x xmlns='jabber:x:data' type='result'>
      <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/network/serverinfo</value></field>
      <field var='abuse-addresses' type='list-multi'><value>mailto:abuse@capulet.example</value><value>xmpp:prince@capulet.example</value></field>
      <field var='security-addresses' type='list-multi'><value>mailto:watch@capulet.example</value></field>
      <field var='status-addresses' type='list-multi'><value>https://status.capulet.example</value></field></x>`, '')))
  })
  test('there is no form without addresses', async () => {
    assert.equal(await formOf({}), undefined)
    assert.equal(await formOf({ sales: [] }), undefined)
  })
})
