import { describe } from 'node:test'
import { Handshake } from './xep0114.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0114: component handshake', () => {
  casePairs(Handshake, [
    {
      title: 'from the component',
      xml: `<handshake xmlns='jabber:component:accept'>2fd4e1c67a2d28fced849ee1bb76e7391b93eb12</handshake>`,
      value: { digest: '2fd4e1c67a2d28fced849ee1bb76e7391b93eb12' },
    },
    { title: 'accepted', xml: `<handshake xmlns='jabber:component:accept'/>`, value: {} },
  ])
})
