import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { useServer } from '../harness.ts'
import { useChromium } from './chromium.ts'
import { personIn } from './converse-window.ts'
import type { Person } from './converse-window.ts'
import { saveScreenshots } from './screenshots.ts'

describe('Converse.js in Chromium, on the page that the server serves', () => {
  // No hosts are set, so this is what `npm start` gives: localhost and the demo.
  const server = useServer({ host: 'localhost', settings: { hosts: [], demo: 'on' } })
  const chromium = useChromium()
  const origin = () => `http://127.0.0.1:${server.ports.http}`
  const people: Person[] = []

  async function enter(localpart: string): Promise<Person> {
    const window = await chromium.open(origin())
    await window.page.goto(`${origin()}/?as=${localpart}`)
    const person = personIn(window)
    people.push(person)
    return person
  }
  after(() => {
    // Kept for the reader of a failure; a page that works says nothing of this kind.
    for (const { window } of people) if (window.faults.length > 0) console.error(window.faults.join('\n'))
  })

  let romeo: Person
  let juliet: Person

  it('two windows log in, and each sees the other online in its roster', async () => {
    romeo = await enter('romeo')
    juliet = await enter('juliet')
    await romeo.seesContact('juliet@localhost', 'online')
    await juliet.seesContact('romeo@localhost', 'online')
  })

  it('they chat both ways', async () => {
    await romeo.openChat('juliet@localhost')
    await romeo.say('But soft, what light through yonder window breaks?')
    await juliet.openChat('romeo@localhost')
    await juliet.sees('But soft, what light through yonder window breaks?')
    await juliet.say('Ay me! ♥ <&>')
    await romeo.sees('Ay me! ♥ <&>')
    await romeo.say('She speaks! O, speak again, bright angel!')
    await juliet.sees('She speaks!')
  })

  it('a change of presence shows in the other window', async () => {
    await juliet.setPresence('Busy')
    await romeo.seesContact('juliet@localhost', 'dnd')
    await juliet.setPresence('Away')
    await romeo.seesContact('juliet@localhost', 'away')
    await juliet.setPresence('Online')
    await romeo.seesContact('juliet@localhost', 'online')
    await saveScreenshots([romeo, juliet])
  })

  it('a window that closes is seen to go, and to come back', async () => {
    await juliet.window.page.goto('about:blank')
    await romeo.seesContact('juliet@localhost', 'offline')
    await juliet.window.page.goto(`${origin()}/?as=juliet`)
    await juliet.seesContact('romeo@localhost', 'online')
    await romeo.seesContact('juliet@localhost', 'online')
  })

  it('a list of emojis that does not arrive is asked for again', async () => {
    const { page } = juliet.window
    let refused = 0
    await page.route('**/emoji.json', (route) => (refused++ < 2 ? route.abort() : route.continue()))
    await page.goto(`${origin()}/?as=juliet`)
    await juliet.seesContact('romeo@localhost', 'online')
    await juliet.openChat('romeo@localhost')
    await juliet.say('Sweet, good night! :smile:')
    await romeo.sees('Sweet, good night! \u{1f604}')
    assert.equal(refused, 3)
  })

  it('both reconnect by themselves after the server was killed and started again, and chat', async () => {
    await server.kill()
    await server.start()
    await romeo.seesContact('juliet@localhost', 'online')
    await juliet.seesContact('romeo@localhost', 'online')
    await juliet.openChat('romeo@localhost')
    await juliet.say('Three words, dear Romeo, and good night indeed.')
    await romeo.sees('Three words, dear Romeo')
    await romeo.say('I take thee at thy word')
    await juliet.sees('I take thee at thy word')
  })

  it('used our WebSocket and nobody else, and no error went uncaught', () => {
    for (const { window } of people) {
      const socket = `ws://127.0.0.1:${server.ports.http}/ws`
      assert.ok(window.webSockets.length > 0)
      assert.deepEqual([...new Set(window.webSockets)], [socket])
      assert.deepEqual(window.foreign, [])
      assert.deepEqual(window.faults, [])
    }
  })
})

describe('Converse.js logs in by hand', () => {
  const server = useServer({ accounts: [{ localpart: 'romeo', password: 'call me but love' }] })
  const chromium = useChromium()
  const origin = () => `http://127.0.0.1:${server.ports.http}`

  it('with an account and its password, where the demo is off', async () => {
    const { page, foreign } = await chromium.open(origin())
    await page.goto(`${origin()}/`)
    await page.locator('input[name=jid]').fill('romeo')
    await page.locator('input[name=password]').fill('tybalt')
    await page.locator('converse-login-form [type=submit]').click()
    await page.locator('.conn-feedback', { hasText: /denied|failed|invalid|incorrect|wrong/i }).first().waitFor()
    await page.locator('input[name=password]').fill('call me but love')
    await page.locator('converse-login-form [type=submit]').click()
    await page.locator('a.change-status').waitFor()
    assert.equal(await page.locator('#demo').isVisible(), false)
    assert.deepEqual(foreign, [])
  })
})
