/** XEP-0398 and XEP-0153 as wire scripts. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { serialize } from '@rollcall/xml'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { answers, refuses, subscribe } from '../disco/testing/stage.ts'
import { NS_PUBSUB, owner, publish, pubsub, startPep, submitted } from '../pep/testing/stage.ts'
import vcard from '../vcard/module.ts'
import avatarConversion from './module.ts'

const JULIET = 'juliet@capulet.example'
const DATA = 'urn:xmpp:avatar:data'
const METADATA = 'urn:xmpp:avatar:metadata'
const OPEN = { access_model: 'open' }

const hashOf = (image: string) => createHash('sha1').update(image).digest('hex')
const codeOf = (image: string) => Buffer.from(image).toString('base64')
const photo = (image: string, type = 'image/png') => `<PHOTO><TYPE>${type}</TYPE><BINVAL>${codeOf(image)}</BINVAL></PHOTO>`
const card = (content: string) => `<vCard xmlns='vcard-temp'>${content}</vCard>`
const getCard = `<iq type='get' id='v' to='${JULIET}'><vCard xmlns='vcard-temp'/></iq>`
const update = (content: string) => content === '' ? `<x xmlns='vcard-temp:x:update'/>` : `<x xmlns='vcard-temp:x:update'>${content}</x>`
const info = (image: string) => `<info bytes='${image.length}' id='${hashOf(image)}' type='image/png'/>`

let host: TestHost
let juliet: ScriptedEntity
/** Sees juliet's presence. */
let nurse: ScriptedEntity
let tybalt: ScriptedEntity

beforeEach(async () => {
  host = await startPep({}, [vcard, avatarConversion])
  juliet = await host.login('juliet', 'balcony')
  nurse = await host.login('nurse', 'hall')
  tybalt = await host.login('tybalt', 'street')
  await subscribe(host, nurse, juliet)
})
afterEach(() => host.stop())

async function publishAvatar(image: string, options: Readonly<Record<string, string>> = OPEN, data = image): Promise<void> {
  const id = hashOf(image)
  await juliet.request(publish(DATA, `<item id='${id}'><data xmlns='${DATA}'>${codeOf(data)}</data></item>`, options))
  await juliet.request(publish(METADATA, `<item id='${id}'><metadata xmlns='${METADATA}'>${info(image)}</metadata></item>`, options))
  await host.settle()
}
const removeAvatar = () => juliet.request(publish(METADATA, `<item><metadata xmlns='${METADATA}'/></item>`))

/** The photo that a reader finds in the card: `type image`, undefined when there is none. */
async function photoFor(reader: ScriptedEntity): Promise<string | undefined> {
  const found = (await reader.request(getCard)).child('vCard', 'vcard-temp')?.child('PHOTO')
  return found === undefined ? undefined : `${found.childText('TYPE')} ${Buffer.from(found.childText('BINVAL') ?? '', 'base64').toString()}`
}
/** What juliet's presence says of the avatar when it arrives. */
async function announced(stanza: string, watcher = nurse): Promise<string | undefined> {
  await host.settle()
  watcher.clear()
  juliet.send(stanza)
  const presence = (await watcher.all()).find(({ name }) => name === 'presence')
  const said = presence?.elements().filter(({ ns }) => ns === 'vcard-temp:x:update') ?? []
  return presence === undefined ? 'nothing came' : said.map((element) => serialize(element, 'jabber:client')).join('') || undefined
}
const says = (content: string) => new RegExp(`^${update(content)}$`)
let count = 0
/** Each is new to who watches. */
const status = () => `<status>${++count}</status>`

describe('XEP-0398 §2', () => {
  it('accounts say that avatars are converted', async () => {
    const reply = await juliet.request(`<iq type='get' id='d' to='${JULIET}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`)
    assert.match(serialize(reply, 'jabber:client'), /var='urn:xmpp:pep-vcard-conversion:0'/)
  })
})

describe('XEP-0398 §3.1: from personal eventing to the card', () => {
  it('an avatar is in the card, beside what the card has, in place of its photo', async () => {
    assert.equal(await photoFor(tybalt), undefined)
    await publishAvatar('lily')
    assert.equal(await photoFor(tybalt), 'image/png lily')
    await juliet.request(`<iq type='set' id='s'>${card('<FN>Juliet</FN>')}</iq>`)
    const shown = card(`<FN>Juliet</FN>${photo('lily')}`)
    await answers(tybalt, getCard, `<iq type='result' id='v' from='${JULIET}' to='tybalt@capulet.example/street'>${shown}</iq>`)
    await publishAvatar('rose')
    assert.equal(await photoFor(tybalt), 'image/png rose')
  })

  it('only for who may read it', async () => {
    await publishAvatar('lily', { access_model: 'presence' })
    assert.deepEqual([await photoFor(juliet), await photoFor(nurse)], ['image/png lily', 'image/png lily'])
    await refuses(tybalt, getCard, 'service-unavailable', 'cancel')
  })

  it('not once it is taken back, by empty metadata or by deleting the image', async () => {
    await publishAvatar('lily')
    await removeAvatar()
    await refuses(tybalt, getCard, 'service-unavailable', 'cancel')
    await publishAvatar('rose')
    assert.equal(await photoFor(tybalt), 'image/png rose')
    await juliet.request(owner('set', `<delete node='${DATA}'/>`))
    await refuses(tybalt, getCard, 'service-unavailable', 'cancel')
  })

  it('not when the image is elsewhere, missing, or not what its id says', async () => {
    await publishAvatar('lily', OPEN, 'nettle')
    await refuses(tybalt, getCard, 'service-unavailable', 'cancel')
    const elsewhere = info('rose').replace('/>', ` url='https://capulet.example/rose.png'/>`)
    for (const metadata of [elsewhere, info('rose'), '<info/>', '']) {
      await juliet.request(publish(METADATA, `<item><metadata xmlns='${METADATA}'>${metadata}</metadata></item>`, OPEN))
      await refuses(tybalt, getCard, 'service-unavailable', 'cancel')
    }
    await juliet.request(publish(DATA, `<item id='${hashOf('rose')}'><data xmlns='${DATA}'>${codeOf('rose')}</data></item>`, OPEN))
    await juliet.request(publish(METADATA, `<item><metadata xmlns='${METADATA}'>${elsewhere}${info('rose')}</metadata></item>`, OPEN))
    assert.equal(await photoFor(tybalt), 'image/png rose')
  })

  it('survives a restart', async () => {
    await publishAvatar('lily')
    const { storage } = host
    await host.stop()
    host = await startPep({ storage }, [vcard, avatarConversion])
    assert.equal(await photoFor(await host.login('tybalt', 'street')), 'image/png lily')
  })
})

describe('XEP-0398 §3.2: from the card to personal eventing', () => {
  const setCard = (content: string) => juliet.request(`<iq type='set' id='s'>${card(content)}</iq>`)
  const items = (node: string, item: string) => `<iq type='result' id='{any}' from='${JULIET}' to='{any}'>
    <pubsub xmlns='${NS_PUBSUB}'><items node='${node}'>${item}</items></pubsub></iq>`
  const read = (entity: ScriptedEntity, node: string, item: string) =>
    answers(entity, pubsub('get', `<items node='${node}'/>`, ` to='${JULIET}'`), items(node, item))

  it('a photo is published for everybody, with what there is to say of it', async () => {
    await setCard(`<FN>Juliet</FN>${photo('lily', 'image/jpeg').replace('<BINVAL>', '<BINVAL>\n  ')}`)
    const id = hashOf('lily')
    await read(tybalt, DATA, `<item id='${id}'><data xmlns='${DATA}'>${codeOf('lily')}</data></item>`)
    await read(tybalt, METADATA, `<item id='${id}'><metadata xmlns='${METADATA}'><info bytes='4' id='${id}' type='image/jpeg'/></metadata></item>`)
    assert.equal(await photoFor(tybalt), 'image/jpeg lily')
    assert.match(await announced(`<presence>${status()}</presence>`) ?? '', says(`<photo>${id}</photo>`))
  })

  it('where the node is for contacts only it stays so', async () => {
    await publishAvatar('lily', { access_model: 'presence' })
    await setCard(photo('rose'))
    await refuses(tybalt, pubsub('get', `<items node='${DATA}'/>`, ` to='${JULIET}'`), 'not-authorized', 'auth')
    assert.equal(await photoFor(nurse), 'image/png rose')
  })

  it('the photo that is the avatar already, none, or one that cannot be read publishes nothing', async () => {
    await publishAvatar('lily')
    const wanting = await host.login('juliet', 'chamber')
    for (const content of [photo('lily'), '<FN>Juliet</FN>', '<PHOTO/>', '<PHOTO><EXTVAL>https://capulet.example/x.png</EXTVAL></PHOTO>',
      '<PHOTO><TYPE>image/png</TYPE><BINVAL>?</BINVAL></PHOTO>']) {
      await setCard(content)
    }
    await wanting.receivesNothing()
    await read(tybalt, DATA, `<item id='${hashOf('lily')}'><data xmlns='${DATA}'>${codeOf('lily')}</data></item>`)
  })

  it('a photo that is too large for a node is still in the card', async () => {
    await host.stop()
    host = await startPep({ options: { pep: { itemBytesMax: 1024 } } }, [vcard, avatarConversion])
    juliet = await host.login('juliet', 'balcony')
    tybalt = await host.login('tybalt', 'street')
    const large = 'x'.repeat(2000)
    assert.equal((await setCard(photo(large))).attribute('type'), 'result')
    assert.equal(await photoFor(tybalt), `image/png ${large}`)
  })
})

describe('XEP-0398 §4, XEP-0153 §4.1: presence', () => {
  const hash = hashOf('lily')
  const named = says(`<photo>${hash}</photo>`)

  it('without an avatar it is left alone', async () => {
    for (const said of ['', update(''), update('<photo/>'), update('<photo>abc</photo>')]) {
      assert.equal(await announced(`<presence>${status()}${said}</presence>`), said === '' ? undefined : said)
    }
  })

  it('names the avatar, in place of what clients do not know', async () => {
    await publishAvatar('lily')
    for (const said of ['', update(''), update('<photo>0123</photo>'), update(`<photo>${hash}</photo>`)]) {
      assert.match(await announced(`<presence>${status()}${said}</presence>`) ?? '', named)
    }
    await removeAvatar()
    assert.equal(await announced(`<presence>${status()}</presence>`), undefined)
  })

  it('of a client that says that there is none is left alone', async () => {
    await publishAvatar('lily')
    assert.match(await announced(`<presence>${status()}${update('<photo/>')}</presence>`) ?? '', says('<photo/>'))
  })

  it('to somebody names it where everybody may see it, and else not', async () => {
    await publishAvatar('lily')
    const directed = `<presence to='tybalt@capulet.example/street'/>`
    assert.match(await announced(directed, tybalt) ?? '', named)
    await juliet.request(owner('set', `<delete node='${DATA}'/>`))
    await publishAvatar('rose', { access_model: 'open' })
    await juliet.request(owner('set', `<configure node='${DATA}'>${submitted('node_config', { access_model: 'whitelist' })}</configure>`))
    await publishAvatar('lily', {})
    assert.equal(await announced(directed, tybalt), undefined)
    assert.match(await announced(`<presence>${status()}</presence>`) ?? '', named)
  })

  it('of other types is left alone', async () => {
    await publishAvatar('lily')
    assert.equal(await announced(`<presence type='subscribe' to='tybalt@capulet.example'/>`, tybalt), undefined)
    assert.equal(await announced(`<presence type='unavailable'/>`), undefined)
  })
})
