/** Accounts of ANONYMOUS logins (RFC 4505): there while they are connected, and then without a trace. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { modules } from '../modules.generated.ts'
import { TestHost } from '../testing/test-host.ts'

let host: TestHost
beforeEach(async () => {
  host = await TestHost.start({ modules: modules.filter(({ name }) => ['archive', 'presence', 'roster', 'blocking'].includes(name)), accounts: ['romeo'] })
})
afterEach(() => host.stop())

const messageTo = (to: string) => `<message to='${to}' type='chat' id='m1'><body>Who is there?</body></message>`

describe('an anonymous account', () => {
  it('binds although no such account is stored, and is written to like any other', async () => {
    const guest = await host.connect('guest-1', 'street', undefined, true, true)
    guest.send('<presence/>')
    const romeo = await host.login('romeo')
    await guest.all()
    romeo.send(messageTo('guest-1@capulet.example'))
    const [message] = await guest.all()
    assert.equal(message?.child('body')?.text(), 'Who is there?')
  })

  it('is gone with its last session, its data included, and its contacts are told', async () => {
    const romeo = await host.login('romeo')
    const guest = await host.connect('guest-1', 'street', undefined, true, true)
    guest.send('<presence/>')
    guest.send("<presence to='romeo@capulet.example' type='subscribe'/>")
    await romeo.receives("<presence from='guest-1@capulet.example' to='romeo@capulet.example' type='subscribe'/>")
    assert.notEqual((await host.storage.mapAll('roster', 'guest-1@capulet.example')).size, 0)
    await host.disconnect(guest)
    assert.equal((await host.storage.mapAll('roster', 'guest-1@capulet.example')).size, 0)
    romeo.clear()
    romeo.send(messageTo('guest-1@capulet.example'))
    assert.equal((await romeo.next()).child('error')?.elements()[0]?.name, 'service-unavailable')
  })

  it('nobody else binds to an account that does not exist', async () => {
    await assert.rejects(host.connect('guest-2'), /not-allowed/)
  })
})
