import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jidOf } from '@rollcall/jid'
import type { StorageBackend } from '@rollcall/ports'
import type { SaslCrypto } from '@rollcall/stream'
import { FakeClock, nullMetrics, recordingLog, SeededRandom } from '@rollcall/testing'
import { MemoryStorage } from '../../../backends/storage-memory/index.ts'
import { nodeCrypto } from '../../runtime/crypto.ts'
import { createAuthService } from './auth-service.ts'
import { defaultAuthConfig } from './config.ts'
import { importAccounts } from './import-accounts.ts'
import type { ImportOptions } from './import-accounts.ts'
import { readImport } from './import-lines.ts'

const HOST = 'capulet.example'
const options: ImportOptions = { scramHashes: ['SHA-1', 'SHA-256'], iterations: { 'SHA-1': 4096, 'SHA-256': 4096, 'SHA-512': 4096 } }

async function* asyncLines(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

describe('lines of an import', () => {
  it('become accounts with mutual contacts', async () => {
    const { accounts, problems } = await readImport(asyncLines([
      '# localpart\tpassword\tcontacts',
      'juliet\tR0m30\tnurse, romeo@montague.example,NURSE',
      '',
      'Nurse\tan\u00ad gelica\ttybalt\r',
      'tybalt\tcats',
      'paris\tcounty\t,juliet,paris',
    ]), HOST)
    assert.deepEqual(problems, [])
    assert.deepEqual(accounts.map(({ jid, password, contacts }) => [jid.localpart, password, contacts.map(String).toSorted()]), [
      ['juliet', 'R0m30', [`nurse@${HOST}`, `paris@${HOST}`, 'romeo@montague.example']],
      ['nurse', 'an gelica', [`juliet@${HOST}`, `tybalt@${HOST}`]],
      ['tybalt', 'cats', [`nurse@${HOST}`]],
      ['paris', 'county', [`juliet@${HOST}`]],
    ])
  })

  it('that are wrong are named with their number and reason, and the others are used', async () => {
    const bad: [string, RegExp][] = [
      ['juliet', /TAB/], ['\tx', /TAB/], ['juliet\t', /password/], ['juliet\ta\u0001', /password/], ['juliet\tab', /3 characters/],
      ['ju liet\tsecret', /localpart/], ['juliet\tsecret\tnurse@', /domainpart/], ['juliet\tsecret\tnurse@a.example/x', /resource/],
      ['juliet\tsecret\t\tx', /three columns/], ['nurse\tsecret2', /already/],
    ]
    const { accounts, problems } = await readImport(['nurse\tsecret', ...bad.map(([line]) => line), 'paris\tsecret'], HOST, 3)
    assert.deepEqual(accounts.map(({ jid }) => jid.localpart), ['nurse', 'paris'])
    assert.equal(problems.length, bad.length)
    for (const [at, [, reason]] of bad.entries()) {
      assert.equal(problems[at]?.line, at + 2)
      assert.match(problems[at]?.reason ?? '', reason)
      assert.doesNotMatch(problems[at]?.reason ?? '', /secret/)
    }
  })

  it('a reader that fails is not swallowed', async () => {
    async function* broken(): AsyncGenerator<string> {
      yield 'juliet\tx'
      throw new Error('disk')
    }
    await assert.rejects(readImport(broken(), HOST), /disk/)
  })
})

describe('import of accounts', () => {
  async function ports(crypto: SaslCrypto = nodeCrypto): Promise<{ storage: StorageBackend; crypto: SaslCrypto; clock: FakeClock }> {
    const storage = new MemoryStorage()
    await storage.open()
    return { storage, crypto, clock: new FakeClock() }
  }

  it('makes accounts that can log in, with the rows of the hook, and reports progress', async () => {
    const at = await ports()
    const { accounts } = await readImport(Array.from({ length: 250 }, (_, n) => `u${n}\tp${n}\tu${(n + 1) % 250}`), HOST)
    const seen: number[] = []
    const result = await importAccounts(at, accounts, {
      ...options,
      scramHashes: ['SHA-256'],
      onProgress: (done, total) => seen.push(done / total),
      rowsOf: (account, contacts) => contacts.map(contact => (
        { op: 'map-set', store: 'roster', owner: account.toString(), key: contact.toString(), value: { subscription: 'both' } }
      )),
    })
    assert.deepEqual(result, { createdCount: 250, existing: [] })
    assert.equal(seen[0], 0)
    assert.equal(seen.at(-1), 1)
    assert.ok(seen.length <= 102 && seen.every((value, index) => index === 0 || value > (seen[index - 1] ?? 0)))
    assert.deepEqual([...(await at.storage.mapAll('roster', `u7@${HOST}`)).keys()].toSorted(), [`u6@${HOST}`, `u8@${HOST}`])
    const config = { ...defaultAuthConfig, hosts: new Set([HOST]), anonymousHosts: new Set<string>() }
    const service = createAuthService({ ...at, random: new SeededRandom(1), config, log: recordingLog(), metrics: nullMetrics })
    assert.equal(await service.verifyPassword(jidOf('u249', HOST), 'p249'), true)
    assert.equal(await service.count(HOST), 250)
    await service.settled()
  })

  it('leaves accounts that exist alone', async () => {
    const at = await ports()
    const first = await readImport(['juliet\told'], HOST)
    await importAccounts(at, first.accounts, options)
    const before = await at.storage.keyvalGet('account', `juliet@${HOST}`)
    const second = await readImport(['juliet\tnew', 'nurse\tx'], HOST)
    const result = await importAccounts(at, second.accounts, options)
    assert.deepEqual([result.createdCount, result.existing.map(String)], [1, [`juliet@${HOST}`]])
    assert.deepEqual(await at.storage.keyvalGet('account', `juliet@${HOST}`), before)
  })

  it('salts every account on its own, unless a fixed salt is given: then equal passwords are derived once', async () => {
    let derivations = 0
    const crypto: SaslCrypto = { ...nodeCrypto, pbkdf2: (...args) => {
      derivations++
      return nodeCrypto.pbkdf2(...args)
    } }
    const { accounts } = await readImport(Array.from({ length: 40 }, (_, n) => `u${n}\tp${n % 2}`), HOST)
    await importAccounts(await ports(crypto), accounts, options)
    assert.equal(derivations, 80)
    derivations = 0
    const at = await ports(crypto)
    await importAccounts(at, accounts, { ...options, fixedSalt: Buffer.from('fixed salt') })
    assert.equal(derivations, 4)
    assert.deepEqual(await at.storage.keyvalGet('account', `u0@${HOST}`), await at.storage.keyvalGet('account', `u2@${HOST}`))
    await assert.rejects(importAccounts(at, accounts, { ...options, fixedSalt: Buffer.from('short') }), RangeError)
  })

  it('keeps no more than so many under way', async () => {
    let [running, most] = [0, 0]
    const crypto: SaslCrypto = { ...nodeCrypto, pbkdf2: async (...args) => {
      most = Math.max(most, ++running)
      const key = await nodeCrypto.pbkdf2(...args)
      running--
      return key
    } }
    const { accounts } = await readImport(Array.from({ length: 40 }, (_, n) => `u${n}\tp${n}`), HOST)
    await importAccounts(await ports(crypto), accounts, { ...options, scramHashes: ['SHA-1'], accountsInFlightMax: 3 })
    assert.equal(most, 3)
  })

  it('stops at the first failure and rejects with it', async () => {
    let [failed, after] = [false, 0]
    const crypto: SaslCrypto = { ...nodeCrypto, pbkdf2: (hash, password, ...rest) => {
      if (password === 'p10') {
        failed = true
        return Promise.reject(new Error('no threads'))
      }
      if (failed) after++
      return nodeCrypto.pbkdf2(hash, password, ...rest)
    } }
    const { accounts } = await readImport(Array.from({ length: 200 }, (_, n) => `u${n}\tp${n}`), HOST)
    await assert.rejects(importAccounts(await ports(crypto), accounts, { ...options, scramHashes: ['SHA-1'], accountsInFlightMax: 4 }), /no threads/)
    assert.ok(failed && after <= 4, `${after} derivations after the failure`)
  })

  it('of nothing is done at once', async () => {
    assert.deepEqual(await importAccounts(await ports(), [], options), { createdCount: 0, existing: [] })
  })
})
