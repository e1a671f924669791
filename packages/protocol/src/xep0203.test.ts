import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { Delay } from './xep0203.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0203: delayed delivery', () => {
  casePairs(Delay, [
    {
      title: 'offline storage',
      xml: `<delay xmlns='urn:xmpp:delay' from='capulet.example' stamp='2026-07-12T23:08:25Z'>Offline storage</delay>`,
      value: { from: parseJid('capulet.example'), stamp: Date.UTC(2026, 6, 12, 23, 8, 25), reason: 'Offline storage' },
    },
    {
      title: 'stamp only, with milliseconds',
      xml: `<delay xmlns='urn:xmpp:delay' stamp='2026-07-12T23:08:25.042Z'/>`,
      value: { stamp: Date.UTC(2026, 6, 12, 23, 8, 25, 42) },
    },
  ])
})
