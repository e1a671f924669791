/** The sender against a push service on loopback, and the rules on what may be contacted. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { WebPushError } from '@rollcall/ports'
import type { WebPushMessage } from '@rollcall/ports'
import { FakeClock, SeededRandom } from '@rollcall/testing'
import { answerLookup, isPublicAddress, readEndpoint } from './endpoint.ts'
import { createWebPushSender, retryAfterMs } from './index.ts'
import { makeBrowser, readVapid, startPushEndpoint } from './testing/browser.ts'
import type { PushEndpoint } from './testing/browser.ts'

const clock = new FakeClock()
const sender = createWebPushSender({ clock, random: new SeededRandom(1) })
const keys = sender.makeKeys()
const browser = makeBrowser()
const subscription = (endpoint: string) => ({
  endpoint, p256dh: browser.keys.p256dh.toString('base64url'), auth: browser.keys.auth.toString('base64url'),
})
const message = (endpoint: string, fields: Partial<WebPushMessage> = {}): WebPushMessage => ({
  subscription: subscription(endpoint), keys, subject: 'mailto:nurse@capulet.example', payload: Buffer.from('Ay me!'), ttlSeconds: 60,
  urgency: 'high', topic: 'n1', timeoutMs: 5000, mayReachPrivate: true, ...fields,
})
const isRefused = (error: unknown) => error instanceof WebPushError && error.code === 'refused'

describe('sending', () => {
  let endpoint: PushEndpoint
  before(async () => { endpoint = await startPushEndpoint() })
  after(() => endpoint.close())

  it('RFC 8030 §5: one request with the encrypted message, how long it lives, and who sends it', async () => {
    assert.deepEqual(await sender.send(message(`${endpoint.origin}/p/1`)), { status: 201, retryAfterMs: 0 })
    const [one] = endpoint.pushed
    assert.equal(one?.path, '/p/1')
    assert.equal(one?.headers.ttl, '60')
    assert.equal(one?.headers.urgency, 'high')
    assert.equal(one?.headers.topic, 'n1')
    assert.equal(one?.headers['content-encoding'], 'aes128gcm')
    assert.equal((await browser.decrypt(one?.body ?? Buffer.of())).toString(), 'Ay me!')
  })

  it('RFC 8292 §2 and §3: the token is signed by the key and for this push service, and ends within a day', async () => {
    const { claims, key } = await readVapid(endpoint.pushed[0]?.headers.authorization)
    assert.equal(key, keys.publicKey)
    assert.equal(claims['aud'], endpoint.origin)
    assert.equal(claims['sub'], 'mailto:nurse@capulet.example')
    const seconds = Number(claims['exp']) - clock.now() / 1000
    assert.ok(seconds > 0 && seconds <= 86_400)
  })

  it('tells the status, and for how long the push service wants to be left alone', async () => {
    endpoint.status = 429
    endpoint.headers = { 'Retry-After': '120' }
    assert.deepEqual(await sender.send(message(`${endpoint.origin}/p/1`)), { status: 429, retryAfterMs: 120_000 })
  })

  it('follows no redirection', async () => {
    endpoint.status = 307
    endpoint.headers = { Location: `${endpoint.origin}/elsewhere` }
    assert.equal((await sender.send(message(`${endpoint.origin}/p/1`))).status, 307)
    assert.equal(endpoint.pushed.some(({ path }) => path === '/elsewhere'), false)
  })

  it('is unreachable where nobody listens', async () => {
    await assert.rejects(sender.send(message('http://127.0.0.1:1/')), (error) => error instanceof WebPushError && error.code === 'unreachable')
  })

  it('contacts nothing private unless it is told to, by address or by name', async () => {
    const count = endpoint.pushed.length
    const port = new URL(endpoint.origin).port
    for (const url of [endpoint.origin, `https://127.0.0.1:${port}/`, `https://localhost:${port}/`, `https://[::1]:${port}/`, 'https://10.0.0.1/']) {
      await assert.rejects(sender.send(message(url, { mayReachPrivate: false })), isRefused, url)
    }
    assert.equal(endpoint.pushed.length, count)
  })

  it('refuses keys of another length and points that are on no curve', () => {
    const good = subscription('https://push.verona.example/')
    sender.check(good, false)
    assert.throws(() => sender.check({ ...good, auth: 'AAAA' }, false), isRefused)
    assert.throws(() => sender.check({ ...good, p256dh: Buffer.alloc(65, 4).toString('base64url') }, false), isRefused)
  })
})

describe('which endpoints may be contacted', () => {
  for (const [address, isPublic] of [
    ['93.184.216.34', true], ['127.0.0.1', false], ['10.1.2.3', false], ['172.31.0.1', false], ['172.32.0.1', true], ['192.168.1.1', false],
    ['169.254.169.254', false], ['100.64.0.1', false], ['0.0.0.0', false], ['224.0.0.1', false], ['255.255.255.255', false],
    ['2606:4700::1111', true], ['::1', false], ['::', false], ['::ffff:127.0.0.1', false], ['::ffff:10.0.0.1', false], ['fe80::1', false],
    ['fd00::1', false], ['64:ff9b::a00:1', false], ['2002:a00:1::', false], ['2001:db8::1', false], ['ff02::1', false], ['no address', false],
  ] as const) {
    it(`${address} is ${isPublic ? '' : 'not '}public`, () => assert.equal(isPublicAddress(address), isPublic))
  }

  for (const url of [
    'http://push.verona.example/', 'ftp://push.verona.example/', 'https://user@push.verona.example/', 'https://2130706433/', 'https://0x7f.1/',
    'https://[::ffff:10.0.0.1]/', 'not a url', `https://push.verona.example/${'a'.repeat(2048)}`,
  ]) {
    it(`refuses ${url.slice(0, 50)}`, () => assert.throws(() => readEndpoint(url, false), isRefused))
  }

  it('takes https, and http on loopback only where private networks are allowed', () => {
    assert.equal(readEndpoint('https://push.verona.example/p?x=1', false).hostname, 'push.verona.example')
    assert.equal(readEndpoint('http://127.0.0.1:8080/', true).port, '8080')
    assert.throws(() => readEndpoint('http://10.0.0.1/', true), isRefused)
  })

  it('refuses a name as soon as one of its addresses is private', () => {
    const told: unknown[] = []
    const tell = (...args: unknown[]) => void told.push(args[0])
    answerLookup(null, [{ address: '93.184.216.34', family: 4 }, { address: '127.0.0.1', family: 4 }], true, tell)
    answerLookup(null, [{ address: '93.184.216.34', family: 4 }], true, tell)
    answerLookup(null, [{ address: '93.184.216.34', family: 4 }], false, tell)
    assert.ok(isRefused(told[0]))
    assert.deepEqual(told.slice(1), [null, null])
  })
})

describe('Retry-After (RFC 9110 §10.2.3)', () => {
  const now = Date.UTC(2026, 6, 12)
  for (const [header, ms] of [
    [undefined, 0], ['30', 30_000], [new Date(now + 60_000).toUTCString(), 60_000], [new Date(now - 1000).toUTCString(), 0], ['soon', 0],
    ['99999999', 86_400_000],
  ] as const) {
    it(`${header ?? 'none'}: ${ms} ms`, () => assert.equal(retryAfterMs(header, now), ms))
  }
})
