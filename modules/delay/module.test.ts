/** XEP-0203 §5 as wire scripts. */
import { afterEach, beforeEach, describe, it } from 'node:test'
import { openScene } from '../roster/testing/verona.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import delay from './module.ts'

const JULIET = 'juliet@capulet.example'
const stamp = (from: string) => `<delay xmlns='urn:xmpp:delay'${from === '' ? '' : ` from='${from}'`} stamp='2002-09-10T23:08:25Z'>Why</delay>`

let host: TestHost
let juliet: ScriptedEntity
let remote: ScriptedEntity
beforeEach(async () => {
  host = await openScene({ modules: [delay] })
  remote = await host.component('montague.example')
  juliet = await host.login('juliet', 'balcony')
})
afterEach(() => host.stop())

describe('XEP-0203 §5: forged stamps', () => {
  it('one in the server’s name is taken off, everything else stays', async () => {
    const rest = `<body>O &amp; O</body>${stamp('montague.example')}${stamp('')}<x xmlns='urn:example:x'/>`
    const head = `<message from='romeo@montague.example' to='${JULIET}' type='chat' id='m'>`
    remote.send(`${head}${stamp('Capulet.example')}${rest}${stamp('capulet.example')}</message>`)
    await juliet.receives(`${head}${rest}</message>`)
  })

  it('also when a client of the server forges it', async () => {
    const nurse = await host.login('nurse')
    nurse.send(`<message to='${JULIET}' type='chat'><body>O</body>${stamp('capulet.example')}</message>`)
    await juliet.receives(`<message from='nurse@capulet.example/orchard' to='${JULIET}' type='chat'><body>O</body></message>`)
  })

  it('a stamp whose address is none is left to the client', async () => {
    const message = `<message from='romeo@montague.example' to='${JULIET}' type='chat'>${stamp('@')}</message>`
    remote.send(message)
    await juliet.receives(message)
  })
})
