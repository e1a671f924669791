import { describe } from 'node:test'
import { VcardUpdate } from './xep0153.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0153: vCard-based avatars', () => {
  casePairs(VcardUpdate, [
    { title: 'not ready', xml: `<x xmlns='vcard-temp:x:update'/>`, value: {} },
    { title: 'no avatar', xml: `<x xmlns='vcard-temp:x:update'><photo/></x>`, value: { photo: '' } },
    {
      title: 'an avatar',
      xml: `<x xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x>`,
      value: { photo: '01b87fcd030b72895ff8e88db57ec525450f000d' },
    },
  ])
})
