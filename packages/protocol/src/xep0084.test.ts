import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseText } from '@rollcall/xml'
import { AvatarData, AvatarInfo, AvatarMetadata } from './xep0084.ts'
import { casePairs } from './testing/case-pairs.ts'

describe('XEP-0084: user avatar', () => {
  const image = Uint8Array.of(0x89, 0x50, 0x4e, 0x47)
  casePairs(AvatarData, [{ title: 'an image', xml: `<data xmlns='urn:xmpp:avatar:data'>iVBORw==</data>`, value: { image } }])
  it('an image in lines', () => {
    assert.deepEqual(AvatarData.decode(parseText(`<data xmlns='urn:xmpp:avatar:data'>\n iVBO\n Rw==\n</data>`, '')), { image })
  })
  const info = { bytes: 12345, id: '111f4b3c50d7b0df729d299bc6f8e9ef9066971f', type: 'image/png' }
  casePairs<AvatarInfo>(AvatarInfo, [
    { title: 'at the data node', xml: `<info xmlns='urn:xmpp:avatar:metadata' bytes='12345' id='${info.id}' type='image/png'/>`, value: info },
    {
      title: 'elsewhere',
      xml: `<info xmlns='urn:xmpp:avatar:metadata' bytes='12345' id='${info.id}' type='image/gif' url='https://example.com/a.gif' height='64' width='32'/>`,
      value: { ...info, type: 'image/gif', url: 'https://example.com/a.gif', height: 64, width: 32 },
    },
  ])
  casePairs(AvatarMetadata, [
    { title: 'none', xml: `<metadata xmlns='urn:xmpp:avatar:metadata'/>`, value: { infos: [] } },
    {
      title: 'one',
      xml: `<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='12345' id='${info.id}' type='image/png'/></metadata>`,
      value: { infos: [info] },
    },
  ])
})
