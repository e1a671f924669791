/** One presence for sessions on several edges. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseJid } from '@rollcall/jid'
import type { Bus } from '@rollcall/ports'
import type { ServerMessage } from '../protocol/messages.ts'
import type { LocalSession } from './entities.ts'
import { presenceEnvelopes } from './presence-envelopes.ts'

const ROMEO = parseJid('romeo@montague.example/orchard')
const to = (name: string) => parseJid(`${name}@capulet.example`)

interface Sent { readonly edge: string; readonly message: ServerMessage }

function scene() {
  const sent: Sent[] = []
  const alone: string[] = []
  const bus = { send: (edge, message) => void sent.push({ edge, message }) } as Partial<Bus<ServerMessage>> as Bus<ServerMessage>
  const session = (edge: string, conn: number, isPlain = true) =>
    ({ edge, conn, isPlain, sendPresence: (wire: string) => void alone.push(wire) }) as Partial<LocalSession> as LocalSession
  return { sent, alone, session, envelope: presenceEnvelopes(bus).open(ROMEO, '<', '>') }
}

describe('an envelope', () => {
  it('goes once to each edge, with all its connections', () => {
    const { sent, session, envelope } = scene()
    envelope.give(session('east', 1), to('juliet'))
    envelope.give(session('west', 1), to('nurse'))
    envelope.give(session('east', 2), to('tybalt'))
    envelope.give(session('west', 7), to('peter'))
    assert.deepEqual(sent, [])
    envelope.close()
    const shared = { kind: 'deliver-broadcast', head: '<', tail: '>' } as const
    assert.deepEqual(sent, [
      { edge: 'east', message: { ...shared, conns: [1, 2], addresses: ['juliet@capulet.example', 'tybalt@capulet.example'] } },
      { edge: 'west', message: { ...shared, conns: [1, 7], addresses: ['nurse@capulet.example', 'peter@capulet.example'] } },
    ])
    envelope.close()
    assert.equal(sent.length, 2)
  })

  it('leaves out sessions that must see each stanza by itself', () => {
    const { sent, alone, session, envelope } = scene()
    envelope.give(session('east', 1, false), to('juliet'))
    envelope.close()
    assert.deepEqual(alone, ['<juliet@capulet.example>'])
    assert.deepEqual(sent, [])
  })
})
