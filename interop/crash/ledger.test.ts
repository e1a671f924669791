/** The checker finds each mistake that a server could make: one that finds nothing would prove nothing. */
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { Device } from './device.ts'
import type { DeviceEvents } from './device.ts'
import { Ledger } from './ledger.ts'
import type { Archived } from './ledger.ts'

const noEvents: DeviceEvents = { sent() {}, acknowledged() {}, received() {}, copied() {}, refused() {}, online() {}, fault() {} }
const device = (localpart: string, resource: string) => new Device({
  host: 'verona.example', transport: 'tcp', port: 1, login: 'classic', localpart, password: '', resource, clientId: '',
}, noEvents)

describe('the ledger', () => {
  const romeo = device('romeo', 'orchard')
  const juliet = device('juliet', 'balcony')
  const archive: readonly Archived[] = [{ archiveId: 's1', id: 'm1' }, { archiveId: 's2', id: 'm2' }]
  let ledger: Ledger

  beforeEach(() => {
    ledger = new Ledger([romeo, juliet])
    for (const id of ['m1', 'm2']) ledger.sent(romeo, { id, to: juliet.jid, text: '' })
  })

  const arrive = (id: string, stanzaId: string | undefined, isDelayed = false, isEarly = false) =>
    ledger.received(juliet, { id, from: romeo.jid, stanzaId, isDelayed, isEarly })
  const close = (ofJuliet = archive, ofRomeo = archive, mayRefuse = false) => {
    const renamed = ofRomeo.map(({ archiveId, id }) => ({ archiveId: `r${archiveId}`, id }))
    ledger.close(new Map([[juliet.account, ofJuliet], [romeo.account, renamed]]), { mayRefuse })
  }
  const arriveAll = () => {
    arrive('m1', 's1')
    arrive('m2', 's2')
    for (const id of ['m1', 'm2']) ledger.acknowledged(id)
  }
  const violates = (pattern: RegExp) => {
    assert.equal(ledger.counts.violations, 1, ledger.violations.join('\n'))
    assert.match(ledger.violations[0] ?? '', pattern)
  }

  it('has nothing to say of messages that arrived and are archived', () => {
    arriveAll()
    close()
    assert.deepEqual(ledger.violations, [])
  })

  it('lets a message come again under the same stanza id, and counts it', () => {
    arriveAll()
    arrive('m1', 's1', true)
    close()
    assert.deepEqual([ledger.violations, ledger.counts.redelivered], [[], 1])
  })

  it('knows messages of the round before, and no older ones', () => {
    arriveAll()
    close()
    arrive('m1', 's1', true)
    close([], [])
    assert.deepEqual([ledger.violations, ledger.counts.redelivered], [[], 1])
    arrive('m1', 's1', true)
    violates(/m1, which nobody sent/)
  })

  it('lets what was not acknowledged be lost', () => {
    close([], [])
    assert.deepEqual(ledger.violations, [])
  })

  it('finds an acknowledged message that did not arrive', () => {
    arrive('m1', 's1')
    for (const id of ['m1', 'm2']) ledger.acknowledged(id)
    close()
    violates(/m2 .* never reached juliet/)
  })

  it('finds one that the archive of the recipient lacks', () => {
    arriveAll()
    close(archive.slice(1))
    violates(/m1 .* not in the archive of juliet/)
  })

  it('finds one that the archive of the sender lacks', () => {
    arriveAll()
    close(archive, archive.slice(1))
    violates(/m1 .* archive of its sender/)
  })

  it('finds two stanza ids of one message', () => {
    arriveAll()
    arrive('m2', 's3')
    violates(/m2 under the stanza ids s2 and s3/)
  })

  it('finds a message without a stanza id', () => {
    arrive('m1', undefined)
    violates(/without a stanza id/)
  })

  it('finds messages that are overtaken', () => {
    arrive('m2', 's2')
    arrive('m1', 's1', true)
    violates(/m1 after a newer one/)
  })

  it('lets a message that went to another device first be late, when it says so', () => {
    ledger = new Ledger([romeo, juliet, device('juliet', 'chamber')])
    for (const id of ['m1', 'm2']) ledger.sent(romeo, { id, to: juliet.account, text: '' })
    arrive('m2', 's2')
    arrive('m1', 's1', true)
    assert.deepEqual(ledger.violations, [])
  })

  it('lets a message be overtaken by one for a device that is not available yet, and by no other', () => {
    arrive('m2', 's2', false, true)
    arrive('m1', 's1', true)
    assert.deepEqual(ledger.violations, [])
    ledger.sent(romeo, { id: 'm3', to: juliet.jid, text: '' })
    ledger.sent(romeo, { id: 'm4', to: juliet.jid, text: '' })
    arrive('m4', 's4')
    arrive('m3', 's3')
    violates(/m3 after a newer one/)
  })

  it('finds copies of what others sent, or the device itself', () => {
    ledger.copied(juliet, 'm1')
    violates(/did not send/)
    ledger.copied(romeo, 'm1')
    assert.match(ledger.violations[1] ?? '', /sent itself/)
  })

  it('tells what has been acknowledged and has not arrived', () => {
    arrive('m1', 's1')
    assert.deepEqual(ledger.missing(), [])
    for (const id of ['m1', 'm2']) ledger.acknowledged(id)
    assert.deepEqual(ledger.missing(), ['m2'])
  })

  it('finds a message in an archive that nobody sent', () => {
    arriveAll()
    close([...archive, { archiveId: 's3', id: 'm0' }])
    violates(/m0, which nobody sent/)
  })

  it('finds an archive that has a message twice', () => {
    arriveAll()
    close(archive, [archive[0] as Archived, ...archive])
    violates(/archive of romeo.* has m1 twice/)
  })

  it('finds an archive in another order', () => {
    arriveAll()
    close(archive, archive.toReversed())
    violates(/archive of romeo.* has m1 after a newer one/)
  })

  it('finds an archive that has a message under another id than it arrived with', () => {
    arriveAll()
    close([{ archiveId: 's9', id: 'm1' }, archive[1] as Archived])
    violates(/m1 as s9, and it arrived as s1/)
  })

  it('finds invented and misdirected messages', () => {
    arrive('m7', 's7')
    violates(/m7, which nobody sent/)
    ledger.received(romeo, { id: 'm1', from: romeo.jid, stanzaId: 's1', isDelayed: false, isEarly: false })
    assert.equal(ledger.counts.violations, 2)
  })

  it('finds refusals unless they are expected', () => {
    ledger.refused('m1')
    close([], [], true)
    assert.deepEqual(ledger.violations, [])
    ledger.sent(romeo, { id: 'm3', to: juliet.jid, text: '' })
    ledger.refused('m3')
    close([], [])
    violates(/m3 .* was refused/)
  })
})
