import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { contextOf, everyMechanism, FakeCredentials, HOST, JULIET } from '../testing/fake-credentials.ts'
import { scramClient } from '../testing/scram-client.ts'
import type { ScramClientOptions } from '../testing/scram-client.ts'
import { startSasl } from './mechanisms.ts'
import { SCRAM_HASHES } from './sasl.ts'
import type { SaslContext, SaslExchange, SaslStep, ScramHash } from './sasl.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (step: SaslStep): string => {
  assert.ok(step.kind !== 'failure', `failed: ${JSON.stringify(step)}`)
  return new TextDecoder().decode(step.data)
}
const juliet = { hash: 'SHA-256', username: 'juliet', password: 'R0m30' } as const

function start(mechanism: string, context: SaslContext): SaslExchange {
  const exchange = startSasl(mechanism, context)
  assert.ok(exchange, `${mechanism} is not offered`)
  return exchange
}

/** A whole login; `tamper` changes the final message. */
async function login(
  context: SaslContext, mechanism: string, options: ScramClientOptions, tamper = (final: string): string => final,
): Promise<SaslStep> {
  const client = scramClient(options)
  const exchange = start(mechanism, context)
  const challenge = await exchange.step(bytes(client.first))
  if (challenge.kind !== 'challenge') return challenge
  const end = await exchange.step(bytes(tamper(client.final(textOf(challenge)))))
  if (end.kind === 'success') assert.ok(client.isServer(textOf(end)), 'the server proves that it knows the password')
  return end
}

function assertFailure(step: SaslStep, condition: string): void {
  assert.equal(step.kind === 'failure' ? step.condition : step.kind, condition)
}

describe('SCRAM (RFC 5802)', () => {
  for (const hash of SCRAM_HASHES) {
    it(`SCRAM-${hash}: the right password logs in, a wrong one is not-authorized`, async () => {
      const credentials = new FakeCredentials()
      const context = contextOf({ credentials })
      const success = await login(context, `SCRAM-${hash}`, { ...juliet, hash })
      assert.ok(success.kind === 'success' && success.account.equals(JULIET) && !success.isAnonymous)
      assertFailure(await login(context, `SCRAM-${hash}`, { ...juliet, hash, password: 'R0me0' }), 'not-authorized')
      assert.deepEqual(credentials.reports, ['juliet success', 'juliet failure'])
    })

    it(`SCRAM-${hash}-PLUS: binds to each type of channel (RFC 9266, RFC 5929)`, async () => {
      const context = contextOf()
      for (const [type, bindingData] of context.channelBindings) {
        const options = { ...juliet, hash, flag: `p=${type}`, bindingData }
        assert.equal((await login(context, `SCRAM-${hash}-PLUS`, options)).kind, 'success')
      }
    })
  }

  it('without initial response the client is asked for it (RFC 6120 §6.4.2)', async () => {
    const exchange = start('SCRAM-SHA-256', contextOf())
    assert.deepEqual(await exchange.step(undefined), { kind: 'challenge', data: new Uint8Array(0) })
    const client = scramClient(juliet)
    const challenge = textOf(await exchange.step(bytes(client.first)))
    assert.equal((await exchange.step(bytes(client.final(challenge)))).kind, 'success')
  })

  it('the nonce is the client\u2019s with at least 96 bits of ours', async () => {
    const challenges = new Set<string>()
    for (let round = 0; round < 20; round++) {
      const challenge = textOf(await start('SCRAM-SHA-1', contextOf()).step(bytes('n,,n=juliet,r=abc')))
      assert.match(challenge, /^r=abc[A-Za-z0-9+/]{24},s=[^,]+,i=4096,h=/)
      challenges.add(challenge)
    }
    assert.equal(challenges.size, 20)
  })

  it('a user name is prepared as a localpart, escapes undone (§5.1)', async () => {
    const credentials = new FakeCredentials({ 'a=b,c': 'x', juliet: 'R0m30' })
    const context = contextOf({ credentials })
    assert.equal((await login(context, 'SCRAM-SHA-256', { ...juliet, username: 'Juliet' })).kind, 'success')
    assert.equal((await login(context, 'SCRAM-SHA-256', { ...juliet, username: 'a=b,c', password: 'x' })).kind, 'success')
  })

  it('authzid: the account itself, and nothing else (RFC 6120 §6.3.8)', async () => {
    const run = (authzid: string) => login(contextOf(), 'SCRAM-SHA-256', { ...juliet, authzid })
    assert.equal((await run(`juliet@${HOST}`)).kind, 'success')
    assert.equal((await run(`JULIET@${HOST.toUpperCase()}`)).kind, 'success')
    for (const authzid of [`romeo@${HOST}`, `juliet@${HOST}/balcony`, 'juliet@montague.example', HOST, 'juliet', '@', 'a b@c']) {
      assertFailure(await run(authzid), 'invalid-authzid')
    }
  })

  it('an unknown account gets a challenge and then not-authorized, whatever the password', async () => {
    const credentials = new FakeCredentials()
    const context = contextOf({ credentials })
    assertFailure(await login(context, 'SCRAM-SHA-256', { ...juliet, username: 'rosaline', password: 'nobody' }), 'not-authorized')
    assert.deepEqual(credentials.reports, ['rosaline failure'])
  })

  it('a name that cannot be one is not-authorized', async () => {
    assertFailure(await start('SCRAM-SHA-1', contextOf()).step(bytes('n,,n=juliet@capulet.example,r=abc')), 'not-authorized')
  })
})

describe('channel binding (RFC 5802 §6)', () => {
  const exporter = new Uint8Array(32).fill(7)

  it('y is refused when we offered it: somebody hid the offer', async () => {
    assertFailure(await login(contextOf(), 'SCRAM-SHA-256', { ...juliet, flag: 'y' }), 'not-authorized')
  })
  it('y is fine when we did not offer it', async () => {
    for (const context of [contextOf({ channelBindings: new Map() }), contextOf({ isSecure: false })]) {
      assert.equal((await login(context, 'SCRAM-SHA-256', { ...juliet, flag: 'y' })).kind, 'success')
    }
  })
  it('a -PLUS mechanism needs p, and p needs a -PLUS mechanism', async () => {
    for (const flag of ['n', 'y']) {
      assertFailure(await login(contextOf(), 'SCRAM-SHA-256-PLUS', { ...juliet, flag }), 'malformed-request')
    }
    assertFailure(await login(contextOf(), 'SCRAM-SHA-256', { ...juliet, flag: 'p=tls-exporter', bindingData: exporter }), 'malformed-request')
  })
  it('a type that the connection does not have is refused', async () => {
    for (const type of ['tls-unique', 'tls-server', 'x']) {
      assertFailure(await login(contextOf(), 'SCRAM-SHA-256-PLUS', { ...juliet, flag: `p=${type}`, bindingData: exporter }), 'not-authorized')
    }
  })
  it('other data, another type\u2019s data, more and less data are refused, and are no guess at the password', async () => {
    const credentials = new FakeCredentials()
    const others = [new Uint8Array(32).fill(8), new Uint8Array(32).fill(9), new Uint8Array(33).fill(7), exporter.slice(1), new Uint8Array(0)]
    for (const bindingData of others) {
      const options = { ...juliet, flag: 'p=tls-exporter', bindingData }
      assertFailure(await login(contextOf({ credentials }), 'SCRAM-SHA-256-PLUS', options), 'not-authorized')
    }
    assert.deepEqual(credentials.reports, [])
  })
  it('without binding, c= has to repeat the header', async () => {
    const swap = (final: string): string => final.replace('c=biws', 'c=eSws')
    assertFailure(await login(contextOf(), 'SCRAM-SHA-256', juliet, swap), 'not-authorized')
  })
})

describe('malformed SCRAM messages', () => {
  const firsts = [
    '', 'n', 'n,', 'n,,', ',,n=juliet,r=a', 'x,,n=juliet,r=a', 'p=,,n=juliet,r=a', 'p=a b,,n=juliet,r=a', 'n,a=,n=juliet,r=a',
    'n,b=x,n=juliet,r=a', 'n,,n=juliet', 'n,,r=a', 'n,,n=juliet,r=', 'n,,n=juliet,r=a b', 'n,,n=juliet,r=\u00e9', 'n,,r=a,n=juliet',
    'n,,n=,r=a', 'n,,n=ju=liet,r=a', 'n,,n=juliet=2,r=a', 'n,,n=juliet=3d,r=a', 'n,,n=jul\0iet,r=a', 'n,,m=x,n=juliet,r=a',
    'n,,n=juliet,r=a,', 'n,,n=juliet,r=a,x', 'n,,n=juliet,r=a,xx=1', 'n,,n=juliet,r=a,x=', 'n,,N=juliet,r=a', ' n,,n=juliet,r=a',
  ]
  for (const first of firsts) {
    it(`first ${JSON.stringify(first)}`, async () => {
      assertFailure(await start('SCRAM-SHA-1', contextOf()).step(bytes(first)), 'malformed-request')
    })
  }
  it('first: not UTF-8, or too long', async () => {
    const invalid = new Uint8Array([...bytes('n,,n=juliet'), 0xff, ...bytes(',r=a')])
    assertFailure(await start('SCRAM-SHA-1', contextOf()).step(invalid), 'malformed-request')
    assertFailure(await start('SCRAM-SHA-1', contextOf()).step(bytes(`n,,n=juliet,r=${'a'.repeat(9000)}`)), 'malformed-request')
  })
  it('optional extensions are skipped and signed (§5.1)', async () => {
    assert.equal((await start('SCRAM-SHA-1', contextOf()).step(bytes('n,,n=juliet,r=a,x=1,y=2=3'))).kind, 'challenge')
  })

  const finals: [string, (final: string) => string, string][] = [
    ['no proof', final => final.replace(/,p=.*/, ''), 'malformed-request'],
    ['an empty proof', final => final.replace(/,p=.*/, ',p='), 'malformed-request'],
    ['a proof that is not base64', final => `${final}!`, 'malformed-request'],
    ['a short proof', final => final.replace(/,p=.*/, ',p=AAAA'), 'malformed-request'],
    ['a long proof', final => final.replace(/,p=.*/, `,p=${'A'.repeat(88)}`), 'malformed-request'],
    ['something after the proof', final => `${final},x=1`, 'malformed-request'],
    ['no binding', final => final.replace(/^c=[^,]*,/, ''), 'malformed-request'],
    ['a binding that is not base64', final => final.replace('c=', 'c=*'), 'malformed-request'],
    ['no nonce', final => final.replace(/,r=[^,]*/, ''), 'malformed-request'],
    ['a bad extension', final => final.replace(',p=', ',1=2,p='), 'malformed-request'],
    ['only the client\u2019s nonce', final => final.replace(/r=([^,]*).{24},p/, 'r=$1,p'), 'not-authorized'],
    ['another nonce', final => final.replace(',p=', 'x,p='), 'not-authorized'],
    ['an unsigned extension', final => final.replace(',p=', ',x=1,p='), 'not-authorized'],
    ['nothing', () => '', 'malformed-request'],
  ]
  for (const [what, tamper, condition] of finals) {
    it(`final with ${what} is ${condition}`, async () => {
      assertFailure(await login(contextOf(), 'SCRAM-SHA-256', juliet, tamper), condition)
    })
  }

  it('property: a final message that is changed anywhere never succeeds', async () => {
    const mutation = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 255 }), kind: fc.constantFrom('change', 'drop', 'insert') })
    await fc.assert(fc.asyncProperty(mutation, fc.constantFrom<ScramHash>('SHA-1', 'SHA-256'), async ({ at, by, kind }, hash) => {
      const client = scramClient({ ...juliet, hash })
      const exchange = start(`SCRAM-${hash}`, contextOf())
      const right = bytes(client.final(textOf(await exchange.step(bytes(client.first)))))
      const where = at % right.length
      const wrong = [...right]
      if (kind === 'change') wrong[where] = (wrong[where] ?? 0) ^ by
      else wrong.splice(where, kind === 'drop' ? 1 : 0, ...(kind === 'insert' ? [by] : []))
      const end = await exchange.step(new Uint8Array(wrong))
      assert.equal(end.kind, 'failure')
    }), { numRuns: 150 })
  })

  it('property: a proof for one first message never succeeds after another', async () => {
    const names = fc.constantFrom('juliet', 'Juliet', 'romeo', 'nurse')
    await fc.assert(fc.asyncProperty(names, fc.stringMatching(/^[a-z]{1,8}$/), async (username, nonce) => {
      const signed = scramClient({ ...juliet, nonce: 'abc' })
      const sent = `n,,n=${username},r=${nonce}`
      if (sent === signed.first) return
      const exchange = start('SCRAM-SHA-1', contextOf())
      const challenge = textOf(await exchange.step(bytes(sent)))
      assert.equal((await exchange.step(bytes(signed.final(challenge)))).kind, 'failure')
    }), { numRuns: 50 })
  })

  it('property: no first message makes it reject or succeed', async () => {
    const pieces = fc.constantFrom('n', 'y', 'p=', ',', '=', 'a=', 'n=', 'r=', 'juliet', 'tls-exporter', '\0', '=2C', 'm=')
    await fc.assert(fc.asyncProperty(fc.array(pieces, { maxLength: 12 }), async list => {
      const step = await start('SCRAM-SHA-1', contextOf({ policy: everyMechanism })).step(bytes(list.join('')))
      assert.notEqual(step.kind, 'success')
    }), { numRuns: 300 })
  })
})

describe('the core\u2019s verdict', () => {
  const verdicts = [
    ['disabled', 'account-disabled'], ['expired', 'credentials-expired'], ['unknown', 'not-authorized'],
    ['locked', 'temporary-auth-failure'],
  ] as const
  for (const [refusal, condition] of verdicts) {
    it(`a right password on an account that is ${refusal} is ${condition}; a wrong one stays not-authorized`, async () => {
      const credentials = new FakeCredentials()
      credentials.verdict = { waitMs: 1500, refusal }
      assertFailure(await login(contextOf({ credentials }), 'SCRAM-SHA-1', { ...juliet, hash: 'SHA-1' }), condition)
      assertFailure(await login(contextOf({ credentials }), 'SCRAM-SHA-1', { ...juliet, hash: 'SHA-1', password: 'x' }), 'not-authorized')
    })
  }

  it('a locked account takes no attempts: temporary-auth-failure before any secret is looked at', async () => {
    const credentials = new FakeCredentials()
    credentials.waitMs = 2100
    const step = await start('SCRAM-SHA-1', contextOf({ credentials })).step(bytes('n,,n=juliet,r=a'))
    assertFailure(step, 'temporary-auth-failure')
    assert.match(step.kind === 'failure' ? (step.text ?? '') : '', /3 s/)
    assert.deepEqual(credentials.reports, [])
  })

  it('a core that does not answer is temporary-auth-failure at every point, with the cause for the log', async () => {
    for (const method of ['scramKeys', 'report'] as const) {
      const credentials = new FakeCredentials()
      const cause = new Error('timeout')
      Object.assign(credentials, { [method]: () => Promise.reject(cause) })
      const step = await login(contextOf({ credentials }), 'SCRAM-SHA-1', { ...juliet, hash: 'SHA-1' })
      assert.deepEqual(step, { kind: 'failure', condition: 'temporary-auth-failure', cause }, method)
    }
  })
})
