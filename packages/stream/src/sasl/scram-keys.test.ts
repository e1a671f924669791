import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testCrypto } from '../testing/scram-client.ts'
import { scramClient } from '../testing/scram-client.ts'
import type { ScramHash } from './sasl.ts'
import { checkProof, deriveScramVerifier, isPlausibleVerifier, matchesScramVerifier, SCRAM_ITERATIONS_MAX } from './scram-keys.ts'

const base64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

/** The exchanges printed in RFC 5802 §5 and RFC 7677 §3: user `user`, password `pencil`. */
const printed: { rfc: string; hash: ScramHash; nonce: string; salt: string; challenge: string; final: string; server: string }[] = [
  {
    rfc: 'RFC 5802 §5',
    hash: 'SHA-1',
    nonce: 'fyko+d2lbbFgONRv9qkxdawL',
    salt: 'QSXCR+Q6sek8bf92',
    challenge: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    server: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    rfc: 'RFC 7677 §3',
    hash: 'SHA-256',
    nonce: 'rOprNGfwEbeRWgbNEkqO',
    salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
    challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    final: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    server: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
]

for (const { rfc, hash, nonce, salt, challenge, final, server } of printed) {
  describe(`SCRAM-${hash} as printed in ${rfc}`, () => {
    const authMessage = new TextEncoder().encode(`n=user,r=${nonce},${challenge},${final.slice(0, final.indexOf(',p='))}`)
    const proof = base64(final.slice(final.indexOf(',p=') + 3))

    it('the stored keys accept the proof and sign as printed', async () => {
      const verifier = await deriveScramVerifier(testCrypto, hash, 'pencil', base64(salt), 4096)
      const signature = checkProof(testCrypto, hash, verifier, authMessage, proof)
      assert.ok(signature)
      assert.equal(`v=${Buffer.from(signature).toString('base64')}`, server)
    })

    it('another password, salt or number of iterations does not accept it', async () => {
      for (const [password, otherSalt, iterations] of [['pencils', salt, 4096], ['pencil', 'AAAA', 4096], ['pencil', salt, 4097]] as const) {
        const verifier = await deriveScramVerifier(testCrypto, hash, password, base64(otherSalt), iterations)
        assert.equal(checkProof(testCrypto, hash, verifier, authMessage, proof), undefined)
      }
    })

    it('the tests\u2019 own client says what is printed', () => {
      const client = scramClient({ hash, username: 'user', password: 'pencil', nonce })
      assert.equal(client.first, `n,,n=user,r=${nonce}`)
      assert.equal(client.final(challenge), final)
      assert.ok(client.isServer(server))
    })
  })
}

describe('SCRAM keys', () => {
  it('match the password they were made from and no other', async () => {
    for (const hash of ['SHA-1', 'SHA-256', 'SHA-512'] as const) {
      const verifier = await deriveScramVerifier(testCrypto, hash, 'pencil', base64('AAAA'), 4096)
      assert.equal(await matchesScramVerifier(testCrypto, hash, 'pencil', verifier), true)
      assert.equal(await matchesScramVerifier(testCrypto, hash, 'Pencil', verifier), false)
      assert.ok(isPlausibleVerifier(hash, verifier))
    }
  })

  it('are implausible with wrong sizes, no salt, or iterations out of bounds (RFC 5802 §5.1)', async () => {
    const verifier = await deriveScramVerifier(testCrypto, 'SHA-256', 'pencil', base64('AAAA'), 4096)
    assert.equal(isPlausibleVerifier('SHA-1', verifier), false)
    for (const change of [
      { salt: new Uint8Array(0) }, { storedKey: new Uint8Array(31) }, { serverKey: new Uint8Array(33) },
      { iterations: 4095 }, { iterations: 4096.5 }, { iterations: Number.NaN }, { iterations: SCRAM_ITERATIONS_MAX + 1 },
    ]) assert.equal(isPlausibleVerifier('SHA-256', { ...verifier, ...change }), false, JSON.stringify(change))
  })
})
