import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { STEP_TIMEOUT_MS, useChromium } from '../browser/chromium.ts'
import { HOST, useServer } from '../harness.ts'

const accounts = [
  { localpart: 'romeo', password: 'call me but love', contacts: ['juliet'] },
  { localpart: 'juliet', password: 'balcony' },
]

const strophe = join(dirname(createRequire(import.meta.url).resolve('strophe.js/package.json')), 'dist', 'strophe.umd.min.js')
const scripts: Readonly<Record<string, string>> = {
  '/strophe.js': readFileSync(strophe, 'utf8'),
  '/bosh-page.js': readFileSync(join(import.meta.dirname, 'bosh-page.js'), 'utf8'),
}

describe('strophe.js over BOSH (XEP-0124, XEP-0206) in Chromium', () => {
  const server = useServer({ accounts })
  const chromium = useChromium()
  const origin = () => `http://127.0.0.1:${server.ports.http}`

  /** An empty page at the server's origin, with Strophe in it: everything but /http-bind is made up here. */
  async function openPage() {
    const window = await chromium.open(origin())
    const { page } = window
    const body = Object.keys(scripts).map((path) => `<script src="${path}"></script>`).join('')
    await page.route('**/bosh-test.html', (route) => route.fulfill({ contentType: 'text/html', body }))
    for (const [path, body] of Object.entries(scripts)) {
      await page.route(`**${path}`, (route) => route.fulfill({ contentType: 'text/javascript', body }))
    }
    await page.goto(`${origin()}/bosh-test.html`)
    return window
  }

  const connect = (page: Page, localpart: string, password: string) =>
    page.evaluate<string>(`bosh.connect('/http-bind', ${JSON.stringify(`${localpart}@${HOST}/bosh`)}, ${JSON.stringify(password)})`)
  const receives = (page: Page, text: string) =>
    page.waitForFunction(`bosh.received.some((stanza) => stanza.includes(${JSON.stringify(text)}))`, undefined, { timeout: STEP_TIMEOUT_MS })

  it('logs in, sees presence and chats both ways', async () => {
    const romeo = await openPage()
    const juliet = await openPage()
    assert.equal(await connect(romeo.page, 'romeo', 'call me but love'), `romeo@${HOST}/bosh`)
    assert.equal(await connect(juliet.page, 'juliet', 'balcony'), `juliet@${HOST}/bosh`)
    assert.deepEqual(await romeo.page.evaluate('bosh.roster()'), [`juliet@${HOST}`])
    await receives(romeo.page, `from="juliet@${HOST}/bosh"`)
    await romeo.page.evaluate(`bosh.say('juliet@${HOST}/bosh', 'What satisfaction canst thou have tonight? ☾')`)
    await receives(juliet.page, 'What satisfaction canst thou have tonight? ☾')
    await juliet.page.evaluate(`bosh.say('romeo@${HOST}/bosh', 'I gave thee mine before')`)
    await receives(romeo.page, 'I gave thee mine before')
    for (let number = 0; number < 50; number++) await romeo.page.evaluate(`bosh.say('juliet@${HOST}', 'line ${number}.')`)
    await receives(juliet.page, 'line 49.')
    const lines = await juliet.page.evaluate<string[]>(`bosh.received.flatMap((stanza) => stanza.match(/line \\d+/g) ?? [])`)
    assert.deepEqual(lines, Array.from({ length: 50 }, (_, number) => `line ${number}`))
    await juliet.page.evaluate('bosh.leave()')
    await receives(romeo.page, 'unavailable')
    assert.ok(romeo.requests.some((url) => url.endsWith('/http-bind')))
    assert.deepEqual(romeo.webSockets, [])
  })

  it('a wrong password fails, and the page may try again', async () => {
    const { page } = await openPage()
    // Strophe.Status.AUTHFAIL
    await assert.rejects(connect(page, 'romeo', 'tybalt'), /status 4/)
    assert.equal(await connect(page, 'romeo', 'call me but love'), `romeo@${HOST}/bosh`)
  })
})
