import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { readPie } from './pie-reader.ts'

const folder = mkdtempSync(join(tmpdir(), 'rc-pie-'))
after(() => rmSync(folder, { recursive: true }))

/** Writes the files and reads the first; places and warnings are without the folder. */
async function read(files: Readonly<Record<string, string>>) {
  const here = mkdtempSync(join(folder, 'a-'))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(here, name, '..'), { recursive: true })
    writeFileSync(join(here, name), text)
  }
  const warnings: string[] = []
  const users: string[] = []
  const first = Object.keys(files)[0] ?? ''
  const shorten = (text: string) => text.replaceAll(`${here}/`, '')
  try {
    for await (const { host, xml, place } of readPie(join(here, first), (text) => warnings.push(shorten(text)))) {
      users.push(`${shorten(place)} ${host} ${xml}`)
    }
  } catch (error) {
    return { users, warnings, code: (error as { code: string }).code, message: shorten((error as Error).message) }
  }
  return { users, warnings }
}

const NS = `xmlns='urn:xmpp:pie:0'`
const XI = `xmlns:xi='http://www.w3.org/2001/XInclude'`

describe('XEP-0227 files', () => {
  it('give users host by host, with their lines, whatever the prefixes', async () => {
    const { users, warnings } = await read({ 'a.xml': `<?xml version='1.0'?>
<p:server-data xmlns:p='urn:xmpp:pie:0'>
  <p:host jid='capulet.example'>
    <p:user name='juliet' password='&lt;x&gt;'>
      <vCard xmlns='vcard-temp'><FN>J ☂ <![CDATA[& C]]></FN></vCard>
    </p:user>
    <p:user name='nurse'/>
  </p:host>
  <p:host jid='montague.example'><p:user name='romeo'><a xmlns='b' xml:lang='en' c='d'/></p:user></p:host>
</p:server-data>` })
    assert.deepEqual(warnings, [])
    assert.deepEqual(users, [
      `a.xml:4 capulet.example <user name='juliet' password='&lt;x&gt;'><vCard xmlns='vcard-temp'><FN>J ☂ &amp; C</FN></vCard></user>`,
      `a.xml:7 capulet.example <user name='nurse'/>`,
      `a.xml:9 montague.example <user name='romeo'><a xmlns='b' xml:lang='en' c='d'/></user>`,
    ])
  })

  it('include others at every level that XEP-0227 §5 names', async () => {
    const { users, warnings } = await read({
      'all.xml': `<server-data ${NS} ${XI}><xi:include href='capulet.example.xml'/></server-data>`,
      'capulet.example.xml': `<host ${NS} ${XI} jid='capulet.example'><xi:include href='capulet.example/juliet.xml'/><user name='nurse'/></host>`,
      'capulet.example/juliet.xml': `<user ${NS} ${XI} name='juliet'><xi:include href='card.xml'/></user>`,
      'capulet.example/card.xml': `<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>`,
    })
    assert.deepEqual(warnings, [])
    assert.deepEqual(users.toSorted(), [
      `capulet.example.xml:1 capulet.example <user name='nurse'/>`,
      `capulet.example/juliet.xml:1 capulet.example <user name='juliet'><vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard></user>`,
    ])
  })

  it('leave an include deeper inside a user alone: it is data (§6)', async () => {
    const data = `<query xmlns='jabber:iq:private'><include xmlns='http://www.w3.org/2001/XInclude' href='/etc/passwd'/></query>`
    const { users } = await read({ 'a.xml': `<server-data ${NS}><host jid='a'><user name='u'>${data}</user></host></server-data>` })
    assert.deepEqual(users, [`a.xml:1 a <user name='u'>${data}</user>`])
  })

  it('warn of what is left out', async () => {
    const { users, warnings } = await read({ 'a.xml': `<server-data ${NS} ${XI}>
<extra xmlns='x'><user name='nobody'/></extra>
<host jid='a'>
<xi:include href='http://verona.example/a.xml'/><xi:include href='a.xml' parse='text'/>
<user name='u'/></host></server-data>` })
    assert.deepEqual(users, [`a.xml:5 a <user name='u'/>`])
    assert.deepEqual(warnings, [
      'a.xml:2: <extra> is not supported here: left out',
      ...Array.from({ length: 2 }, () => 'a.xml:4: only includes with a relative href, without parse and xpointer, are supported: left out'),
    ])
  })

  const broken: [title: string, files: Record<string, string>, code: string, message: RegExp][] = [
    ['not well-formed', { 'a.xml': `<server-data ${NS}>\n<host jid='a'>\n</server-data>` }, 'bad-import', /^a\.xml:3: not well-formed: /],
    ['cut short', { 'a.xml': `<server-data ${NS}>\n<host jid='a'>` }, 'bad-import', /^a\.xml:2: not well-formed: /],
    ['another document', { 'a.xml': '<html/>' }, 'bad-import', /^a\.xml:1: must begin with <server-data xmlns='urn:xmpp:pie:0'>, not <html>$/],
    ['an undefined entity', { 'a.xml': `<server-data ${NS}>&bomb;</server-data>` }, 'bad-import', /not well-formed/],
    ['a host without jid', { 'a.xml': `<server-data ${NS}>\n<host/></server-data>` }, 'bad-import', /^a\.xml:2: a <host\/> without jid$/],
    ['an include of elsewhere', { 'a.xml': `<server-data ${NS} ${XI}><xi:include href='../b.xml'/></server-data>` }, 'bad-import', /outside the folder/],
    ['an include of nothing', { 'a.xml': `<server-data ${NS} ${XI}><xi:include href='b.xml'/></server-data>` }, 'file-unreadable', /^b\.xml: /],
    ['an include of itself', { 'a.xml': `<host ${NS} ${XI} jid='a'><xi:include href='a.xml'/></host>` }, 'bad-import', /must begin with <server-data/],
    ['deep nesting', { 'a.xml': `<server-data ${NS}><host jid='a'><user name='u'>${'<a>'.repeat(600)}` }, 'bad-import', /more than 500 elements in each other/],
  ]
  for (const [title, files, code, message] of broken) {
    it(`are refused with file and line: ${title}`, async () => {
      const result = await read(files)
      assert.equal(result.code, code)
      assert.match(result.message ?? '', message)
    })
  }

  it('give the users before a mistake', async () => {
    const { users, code } = await read({ 'a.xml': `<server-data ${NS}><host jid='a'><user name='u'/></oops>` })
    assert.deepEqual([users, code], [[`a.xml:1 a <user name='u'/>`], 'bad-import'])
  })
})
