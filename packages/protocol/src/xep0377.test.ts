import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { Report, ReportText } from './xep0377.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'urn:xmpp:reporting:1'
const by = parseJid('juliet@capulet.example')

describe('XEP-0377: spam reporting', () => {
  casePairs(ReportText, [{
    title: 'with language', xml: `<text xmlns='${ns}' xml:lang='en'>Again and again</text>`,
    value: { lang: 'en', text: 'Again and again' },
  }])
  casePairs(Report, [
    {
      title: 'the least', xml: `<report xmlns='${ns}' reason='urn:xmpp:reporting:spam'/>`,
      value: { reason: 'urn:xmpp:reporting:spam', stanzaIds: [], texts: [], mayGoToOrigin: false, mayGoToThirdParty: false },
    },
    {
      title: 'everything',
      xml: `<report xmlns='${ns}' reason='urn:xmpp:reporting:abuse'><stanza-id xmlns='urn:xmpp:sid:0' id='a1' by='juliet@capulet.example'/>
        <text>Again</text><report-origin/><third-party/></report>`.replace(/>\s+</g, '><'),
      value: { reason: 'urn:xmpp:reporting:abuse', stanzaIds: [{ id: 'a1', by }], texts: [{ text: 'Again' }], mayGoToOrigin: true, mayGoToThirdParty: true },
    },
  ])
})
