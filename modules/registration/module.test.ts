/** XEP-0077 as wire scripts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { AccountAdmin, defineModule } from '@rollcall/module-api'
import { jidOf } from '@rollcall/jid'
import { StorageError } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import type { XmlElement } from '@rollcall/xml'
import { FakeClock } from '@rollcall/testing'
import { MemoryStorage } from '../../backends/storage-memory/index.ts'
import { TestHost } from '../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import { matches } from '../../server/testing/scripted-entity.ts'
import { parseText } from '@rollcall/xml'
import registration from './module.ts'
import { networkOf, RegistrationRate } from './rate-limit.ts'

let host: TestHost
let admin: AccountAdmin

const probe = defineModule({
  name: 'probe', summary: 'Hands out the port.', implements: [], needs: { admin: AccountAdmin },
  setup({ ports }) {
    admin = ports.admin
  },
})

async function open(options: Readonly<Record<string, unknown>> = {}, storage?: StorageBackend): Promise<void> {
  host = await TestHost.start({
    accounts: ['juliet', 'romeo'], hosts: ['capulet.example', 'montague.example'], modules: [registration, probe],
    options: { registration: { isOpen: true, ...options } }, ...(storage === undefined ? {} : { storage }),
  })
}
async function reopen(options: Readonly<Record<string, unknown>> = {}, storage?: StorageBackend): Promise<void> {
  await host.stop()
  await open(options, storage)
}
beforeEach(() => open())
afterEach(() => host.stop())

const query = (content = '') => `<query xmlns='jabber:iq:register'>${content}</query>`
const fields = (username: string, password: string) => `<username>${username}</username><password>${password}</password>`
const form = (values: Readonly<Record<string, string>>, type = 'submit') => `<x xmlns='jabber:x:data' type='${type}'>${
  Object.entries(values).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join('')}</x>`
const get = `<iq type='get' id='reg1' to='capulet.example'>${query()}</iq>`
const set = (content: string) => `<iq type='set' id='reg2' to='capulet.example'>${query(content)}</iq>`

/** 'result', or the condition of the error, with its type. */
function outcome(reply: XmlElement): string {
  const error = reply.child('error')
  return error === undefined ? (reply.attribute('type') as string) : `${error.elements()[0]?.name} ${error.attribute('type')}`
}
const register = async (content: string, address?: string) => outcome(await host.beforeAuth(set(content), address))
const mayLogIn = (localpart: string, password: string) => admin.verifyPassword(jidOf(localpart, 'capulet.example'), password)
function assertMatches(actual: XmlElement | undefined, pattern: string): void {
  assert.ok(actual !== undefined && matches(actual, parseText(pattern, 'jabber:client')), `Received ${JSON.stringify(actual)}`)
}

describe('§3.1: registration with a server', () => {
  it('asks for name and password, as a form and as elements', async () => {
    assertMatches(await host.beforeAuth(get), `<iq type='result' id='reg1' from='capulet.example'>
      <query xmlns='jabber:iq:register'><instructions>Choose a name and a password.</instructions><username/><password/>
        <x xmlns='jabber:x:data' type='form'><title>New account</title><instructions>Choose a name and a password.</instructions>
          <field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>
          <field var='username' type='text-single' label='Name'><required/></field>
          <field var='password' type='text-private' label='Password'><required/></field></x></query></iq>`)
  })

  it('makes an account by elements and by form', async () => {
    assertMatches(await host.beforeAuth(set(fields('Bill', 'Calliope'))), `<iq type='result' id='reg2' from='capulet.example'/>`)
    assert.equal(await mayLogIn('bill', 'Calliope'), true)
    assert.equal(await register(form({ FORM_TYPE: 'jabber:iq:register', username: 'ben', password: 'Volpone' })), 'result')
    assert.equal(await mayLogIn('ben', 'Volpone'), true)
  })

  it('§4 rule 5: the form goes before the elements', async () => {
    assert.equal(await register(fields('bill', 'one') + form({ username: 'ben', password: 'two' })), 'result')
    assert.deepEqual([await mayLogIn('bill', 'one'), await mayLogIn('ben', 'two')], [false, true])
  })

  it('a name that is taken is a conflict, and its password stays', async () => {
    assert.equal(await register(fields('juliet', 'm1cro')), 'conflict cancel')
    assert.equal(await mayLogIn('juliet', 'juliet'), true)
  })

  it('the same name at another host is another account', async () => {
    assert.equal(outcome(await host.beforeAuth(set(fields('juliet', 'x')), undefined, 'montague.example')), 'result')
  })

  for (const [title, content] of [
    ['no password', '<username>bill</username>'],
    ['an empty password', '<username>bill</username><password/>'],
    ['no name', '<password>Calliope</password>'],
    ['nothing', ''],
    ['a form without password', form({ username: 'bill' })],
    ['a name that is no localpart', fields('bill@capulet.example', 'Calliope')],
    ['a name with a space', fields('bill s', 'Calliope')],
  ] as const) {
    it(`${title}: not acceptable`, async () => {
      assert.equal(await register(content), 'not-acceptable modify')
    })
  }

  it('a form of another type or kind is a bad request', async () => {
    assert.equal(await register(form({ FORM_TYPE: 'urn:example:x', username: 'bill', password: 'x' })), 'bad-request modify')
    assert.equal(await register(form({ username: 'bill', password: 'x' }, 'cancel')), 'bad-request modify')
  })

  it('§3.2, §3.3: who has no account has nothing to remove', async () => {
    assert.equal(await register('<remove/>'), 'unexpected-request wait')
  })

  it('§8: is offered as a stream feature', async () => {
    assert.equal(await host.featuresBeforeAuth(), `<register xmlns='http://jabber.org/features/iq-register'/>`)
    assert.equal(await host.featuresAfterAuth(), '')
  })
})

describe('closed registration', () => {
  it('is the default: no feature, service-unavailable', async () => {
    await host.stop()
    host = await TestHost.start({ accounts: ['juliet'], modules: [registration, probe] })
    assert.equal(await host.featuresBeforeAuth(), '')
    assert.equal(outcome(await host.beforeAuth(get)), 'service-unavailable cancel')
    assert.equal(await register(fields('bill', 'Calliope')), 'service-unavailable cancel')
    assert.equal(await mayLogIn('bill', 'Calliope'), false)
  })

  it('§5: sends people to a web page', async () => {
    await reopen({ isOpen: false, redirectUrl: 'https://capulet.example/join?a=1&b=2' })
    assertMatches(await host.beforeAuth(get), `<iq type='result' id='reg1' from='capulet.example'><query xmlns='jabber:iq:register'>
      <instructions>To register, visit https://capulet.example/join?a=1&amp;b=2</instructions>
      <x xmlns='jabber:x:oob'><url>https://capulet.example/join?a=1&amp;b=2</url></x></query></iq>`)
    assert.equal(await register(fields('bill', 'Calliope')), 'service-unavailable cancel')
    assert.notEqual(await host.featuresBeforeAuth(), '')
  })
})

describe('names', () => {
  it('reserved ones, and what looks like them, cannot be had', async () => {
    for (const name of ['admin', 'Postmaster', 'adrnin', 'r00t']) assert.equal(await register(fields(name, 'x'), name), 'not-acceptable modify', name)
    await reopen({ reservedLocalparts: ['prince'], areLookAlikesRefused: false })
    assert.equal(await register(fields('PRINCE', 'x')), 'not-acceptable modify')
    assert.equal(await register(fields('pr1nce', 'x')), 'result')
    assert.equal(await register(fields('admin', 'x')), 'result')
  })

  it('one that looks like that of an account made here is a conflict, until that account is gone', async () => {
    assert.equal(await register(fields('mercutio', 'x')), 'result')
    assert.equal(await register(fields('rnercut1o', 'x')), 'conflict cancel')
    const { storage } = host
    await reopen({ areLookAlikesRefused: false }, storage)
    assert.equal(await register(fields('mercutio', 'x')), 'result')
    assert.equal(await register(fields('rnercutio', 'x')), 'result')
    await admin.remove(jidOf('rnercutio', 'capulet.example'))
    await reopen({}, storage)
    // The test host forgets accounts when it stops, so that the name in the index stands for nobody now.
    assert.equal(await register(fields('rnercut1o', 'x')), 'result')
    assert.equal(await register(fields('mercutio', 'x')), 'conflict cancel')
  })

  it('of two look-alikes that are asked for at once, one is made', async () => {
    const replies = await Promise.all([register(fields('mercutio', 'x')), register(fields('mercut1o', 'x'))])
    assert.deepEqual(replies.sort(), ['conflict cancel', 'result'])
  })

  it('mixed scripts are refused, one foreign script is not', async () => {
    assert.equal(await register(fields('jul\u0456et', 'x')), 'not-acceptable modify')
    assert.equal(await register(fields('\u0434\u0436\u0443\u043b\u044c\u0435\u0442\u0442\u0430', 'x')), 'result')
    await reopen({ areLookAlikesRefused: false })
    assert.equal(await register(fields('jul\u0456et', 'x')), 'result')
  })
})

describe('limits', () => {
  it('attempts of one address are limited, good or bad, until the window is over', async () => {
    await reopen({ attemptsPerAddressMax: 2, windowMinutes: 10 })
    assert.equal(await register(fields('juliet', 'x')), 'conflict cancel')
    assert.equal(await register(fields('bill', 'x')), 'result')
    assert.equal(await register(fields('ben', 'x')), 'not-acceptable wait')
    assert.equal(await register(fields('ben', 'x'), '192.0.2.2'), 'result')
    await host.advance(10 * 60_000)
    assert.equal(await register(fields('kit', 'x')), 'result')
  })

  it('so are accounts in all; failed attempts do not count', async () => {
    await reopen({ accountsMax: 2 })
    for (let i = 0; i < 4; i++) assert.equal(await register(fields('juliet', 'x'), `192.0.2.${i}`), 'conflict cancel')
    assert.equal(await register(fields('bill', 'x')), 'result')
    assert.equal(await register(fields('ben', 'x')), 'result')
    assert.equal(await register(fields('kit', 'x'), '198.51.100.1'), 'not-acceptable wait')
    await host.advance(3_600_000)
    assert.equal(await register(fields('kit', 'x'), '198.51.100.1'), 'result')
  })

  it('an IPv6 network is one address, an IPv4 address in IPv6 clothes itself', () => {
    assert.equal(networkOf('2001:DB8:0:01::1'), networkOf('2001:db8::1:ffff:0:0:2'))
    assert.equal(networkOf('2001:db8:0:1:2:3:4:5'), '2001:db8:0:1')
    assert.notEqual(networkOf('2001:db8:0:2::1'), networkOf('2001:db8:0:1::1'))
    assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0')
    assert.equal(networkOf('::ffff:192.0.2.1'), '192.0.2.1')
    assert.equal(networkOf('::1'), '0:0:0:0')
  })

  it('remembers a limited number of addresses', () => {
    const clock = new FakeClock()
    const rate = new RegistrationRate(clock, { attemptsPerAddressMax: 1, accountsMax: 1_000_000, windowMs: 1000 })
    for (let i = 0; i < 10_100; i++) assert.equal(rate.admit(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`), true)
    assert.equal(rate.addressCount, 10_000)
    assert.equal(rate.admit('10.0.39.115'), false)
    clock.advance(1000)
    assert.equal(rate.admit('10.0.39.115'), true)
    assert.equal(rate.addressCount, 1)
  })
})

describe('with an account', () => {
  let juliet: ScriptedEntity
  const setAt = (to: string, content: string) => juliet.request(`<iq type='set' id='c1'${to}>${query(content)}</iq>`)
  beforeEach(async () => {
    juliet = await host.login('juliet', 'balcony')
  })

  for (const [title, to, from] of [
    ['the host', ` to='capulet.example'`, ` from='capulet.example'`],
    ['nobody', '', ''],
  ] as const) {
    it(`§3.1 asks ${title}: is registered, the password is not told`, async () => {
      assertMatches(await juliet.request(`<iq type='get' id='g'${to}>${query()}</iq>`), `<iq type='result' id='g'${from} to='juliet@capulet.example/balcony'>
        <query xmlns='jabber:iq:register'><registered/><instructions>{any}</instructions><username>juliet</username><password/></query></iq>`)
    })

    it(`§3.3 changes the password, asking ${title}`, async () => {
      assertMatches(await setAt(to, fields('Juliet', 'newpass')), `<iq type='result' id='c1'${from} to='juliet@capulet.example/balcony'/>`)
      assert.equal(await mayLogIn('juliet', 'newpass'), true)
      const changed = form({ FORM_TYPE: 'jabber:iq:register:changepassword', username: 'juliet@capulet.example', password: 'another' })
      assert.equal(outcome(await setAt(to, changed)), 'result')
      assert.equal(await mayLogIn('juliet', 'another'), true)
      assert.equal(juliet.closed, undefined)
    })

    it(`§3.2 removes the account, asking ${title}: first the answer, then the end of every stream`, async () => {
      const chamber = await host.login('juliet', 'chamber')
      await host.storage.write([{ op: 'keyval-set', store: 'vcard', owner: 'juliet@capulet.example', value: 'x' }])
      assertMatches(await setAt(to, '<remove/>'), `<iq type='result' id='c1'${from} to='juliet@capulet.example/balcony'/>`)
      assert.deepEqual([juliet.closed, chamber.closed], ['not-authorized', 'not-authorized'])
      await juliet.receivesNothing()
      assert.equal(host.core.sessionCount, 0)
      assert.equal(await host.storage.keyvalGet('vcard', 'juliet@capulet.example'), undefined)
      assert.equal(host.log.of('hook-failed').length, 0)
    })
  }

  for (const [title, content] of [
    ['an empty password', '<username>juliet</username><password/>'],
    ['no password', '<username>juliet</username>'],
    ['no name', '<password>newpass</password>'],
    ['another’s name', fields('romeo', 'newpass')],
    ['a name that is none', fields('@', 'newpass')],
    ['<remove/> beside another child', '<remove/><username>juliet</username>'],
    ['<remove/> beside an unknown child', `<remove/><x xmlns='urn:example:x'/>`],
  ] as const) {
    it(`${title}: bad request, and nothing changes`, async () => {
      assert.equal(outcome(await setAt(` to='capulet.example'`, content)), 'bad-request modify')
      assert.deepEqual([await mayLogIn('juliet', 'juliet'), await mayLogIn('romeo', 'romeo')], [true, true])
      assert.equal(juliet.closed, undefined)
    })
  }

  it('§3.3 over an unencrypted stream the password is not changed', async () => {
    juliet = await host.connect('juliet', 'plain', 'capulet.example', false)
    assert.equal(outcome(await setAt('', fields('juliet', 'newpass'))), 'not-authorized modify')
    assert.equal(await mayLogIn('juliet', 'juliet'), true)
  })

  it('the operator may forbid both', async () => {
    await reopen({ isPasswordChangeAllowed: false, isRemovalAllowed: false })
    juliet = await host.login('juliet', 'balcony')
    assert.equal(outcome(await setAt('', fields('juliet', 'newpass'))), 'not-allowed cancel')
    assert.equal(outcome(await setAt('', '<remove/>')), 'not-allowed cancel')
    assert.equal(await mayLogIn('juliet', 'juliet'), true)
  })

  it('a removal that storage refuses ends the stream, with one answer, and is logged', async () => {
    class FailingStorage extends MemoryStorage {
      override write(ops: Parameters<MemoryStorage['write']>[0]): Promise<void> {
        const isRemoval = ops.some(({ op }) => op === 'owner-delete')
        return isRemoval ? Promise.reject(new StorageError('io', 'the disk is gone')) : super.write(ops)
      }
    }
    await reopen({}, new FailingStorage())
    juliet = await host.login('juliet', 'balcony')
    assert.equal(outcome(await setAt('', '<remove/>')), 'result')
    await juliet.receivesNothing()
    assert.notEqual(juliet.closed, undefined)
    assert.equal(host.log.of('account-removal-failed').length, 1)
    assert.equal(host.log.of('account-removed').length, 0)
  })

  it('other hosts’ users and components are strangers', async () => {
    assert.equal(outcome(await juliet.request(`<iq type='get' id='g' to='montague.example'>${query()}</iq>`)), 'service-unavailable cancel')
    assert.equal(outcome(await setAt(` to='montague.example'`, '<remove/>')), 'registration-required auth')
    assert.equal(outcome(await setAt(` to='montague.example'`, fields('juliet', 'x'))), 'service-unavailable cancel')
    assert.equal(outcome(await setAt(` to='romeo@capulet.example'`, '<remove/>')), 'forbidden auth')
    const friar = await host.component('cell.example')
    friar.send(`<iq type='set' id='f' from='cell.example' to='capulet.example'>${query('<remove/>')}</iq>`)
    assert.equal(outcome(await friar.next()), 'registration-required auth')
  })
})
