/** RFC 8291: the example of its section 5 and appendix A, and what comes back for random texts. */
import assert from 'node:assert/strict'
import { createECDH } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encrypt, oneTimeKeys } from './encryption.ts'
import { makeBrowser } from './testing/browser.ts'

const bytes = (text: string) => Buffer.from(text, 'base64url')

describe('RFC 8291: encryption for a browser', () => {
  it('gives the body of the example (§5)', () => {
    const keys = createECDH('prime256v1')
    keys.setPrivateKey(bytes('yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw'))
    const recipient = {
      p256dh: bytes('BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4'),
      auth: bytes('BTBZMqHH6r4Tts7J_aSIgg'),
    }
    const body = encrypt(Buffer.from('When I grow up, I want to be a watermelon'), recipient, { keys, salt: bytes('DGv6ra1nlYgDCS1FRnbzlw'), isPadded: false })
    assert.equal(body.toString('base64url'), [
      'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4M',
      'qgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
    ].join(''))
  })

  it('what is encrypted is decrypted by the browser, and the length tells it only to 256 bytes', async () => {
    const browser = makeBrowser()
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 3840 }), fc.uint8Array({ minLength: 16, maxLength: 16 }), async (text, salt) => {
      const body = encrypt(text, browser.keys, { keys: oneTimeKeys(), salt })
      assert.deepEqual(await browser.decrypt(body), Buffer.from(text))
      assert.equal((body.length - 86 - 16) % 256, 0)
      assert.ok(body.length <= 4096)
    }), { numRuns: 30 })
  })

  it('refuses a key that is no point of the curve', () => {
    const recipient = { p256dh: Buffer.alloc(65, 4), auth: Buffer.alloc(16) }
    assert.throws(() => encrypt(Buffer.of(1), recipient, { keys: oneTimeKeys(), salt: Buffer.alloc(16) }))
  })
})
