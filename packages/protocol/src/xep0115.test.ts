import { describe } from 'node:test'
import { Caps } from './xep0115.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'http://jabber.org/protocol/caps'

describe('XEP-0115: entity capabilities', () => {
  casePairs(Caps, [
    {
      title: 'with a hash',
      xml: `<c xmlns='${ns}' hash='sha-1' node='https://quill.example' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>`,
      value: { hash: 'sha-1', node: 'https://quill.example', ver: 'q07IKJEyjvHSyhy//CH0CxmKi8w=' },
    },
    {
      title: 'legacy format (§13)',
      xml: `<c xmlns='${ns}' node='https://quill.example' ver='0.9' ext='voice'/>`,
      value: { node: 'https://quill.example', ver: '0.9' },
      isOnlyRead: true,
    },
  ])
})
