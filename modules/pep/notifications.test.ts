/** XEP-0163 §4 as wire scripts: who is told what, and when. */
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { ScriptedEntity } from '../../server/testing/scripted-entity.ts'
import type { TestHost } from '../../server/testing/test-host.ts'
import { subscribe } from '../disco/testing/stage.ts'
import { event, loginWanting, MOOD, mood, owner, presenceWanting, publish, pubsub, startPep, submitted, tellWants } from './testing/stage.ts'

const JULIET = 'juliet@capulet.example'
const TO_JULIET = ` to='${JULIET}'`
const published = (text: string, id = 'current') => `<items node='${MOOD}'><item id='${id}'>${mood(text)}</item></items>`
const DELAY = "<delay xmlns='urn:xmpp:delay' from='juliet@capulet.example' stamp='{any}'/>"

let host: TestHost
let juliet: ScriptedEntity
beforeEach(async () => {
  host = await startPep()
  juliet = await host.login('juliet', 'balcony')
})
afterEach(() => host.stop())

async function contact(localpart = 'nurse', wants = [MOOD]): Promise<ScriptedEntity> {
  const entity = await loginWanting(host, localpart, 'hall', wants)
  await subscribe(host, entity, juliet)
  return entity
}

describe('XEP-0163 §4.3: an event', () => {
  test('goes to contacts and own resources that want it, at their full JIDs from the bare JID', async () => {
    const nurse = await contact()
    const chamber = await loginWanting(host, 'juliet', 'chamber', [MOOD])
    nurse.clear()
    chamber.clear()
    juliet.clear()
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`))
    await nurse.receives(event(JULIET, 'nurse@capulet.example/hall', published('happy')))
    await chamber.receives(event(JULIET, `${JULIET}/chamber`, published('happy')))
    await juliet.receivesNothing()
  })
  test('does not go to contacts who want something else, nor to strangers, nor to contacts of the other direction', async () => {
    const nurse = await contact('nurse', ['urn:example:tune'])
    const tybalt = await loginWanting(host, 'tybalt', 'alley', [MOOD])
    await subscribe(host, juliet, tybalt)
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`))
    await nurse.receivesNothing()
    await tybalt.receivesNothing()
  })
  test('does not go to blocked contacts', async () => {
    const nurse = await contact()
    await juliet.request("<iq type='set' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='nurse@capulet.example'/></block></iq>")
    nurse.clear()
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`))
    await nurse.receivesNothing()
  })
  test('of a node for some groups goes to contacts in them', async () => {
    const nurse = await contact()
    const options = { access_model: 'roster', roster_groups_allowed: ['Servants'] }
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`, options))
    await nurse.receivesNothing()
    await juliet.request("<iq type='set' id='r1'><query xmlns='jabber:iq:roster'><item jid='nurse@capulet.example'><group>Servants</group></item></query></iq>")
    await juliet.request(publish(MOOD, `<item>${mood('two')}</item>`))
    await nurse.receives(event(JULIET, 'nurse@capulet.example/hall', published('two')))
  })
  test('of a private node stays with the own resources (XEP-0223)', async () => {
    const nurse = await contact()
    const chamber = await loginWanting(host, 'juliet', 'chamber', [MOOD])
    nurse.clear()
    chamber.clear()
    await juliet.request(publish(MOOD, `<item id='a'>${mood('secret')}</item>`, { access_model: 'whitelist', persist_items: 'true' }))
    await nurse.receivesNothing()
    await chamber.receives(event(JULIET, `${JULIET}/chamber`, published('secret', 'a')))
  })
  test('waits in order until it is known what the client wants', async () => {
    const nurse = await contact('nurse', [])
    nurse.send(presenceWanting([MOOD]))
    await host.settle()
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`))
    await juliet.request(publish(MOOD, `<item>${mood('two')}</item>`))
    await tellWants(host, nurse, [MOOD])
    await nurse.receives(event(JULIET, 'nurse@capulet.example/hall', published('one')), event(JULIET, 'nurse@capulet.example/hall', published('two')))
    await nurse.receivesNothing()
  })
  test('is a mere hint where the node delivers no payloads, and nothing where it does not notify', async () => {
    const nurse = await contact()
    await juliet.request(publish(MOOD, `<item id='1'>${mood('one')}</item>`, { deliver_payloads: '0' }))
    await nurse.receives(event(JULIET, 'nurse@capulet.example/hall', `<items node='${MOOD}'><item id='1'/></items>`))
    await juliet.request(owner('set', `<configure node='${MOOD}'>${submitted('node_config', { deliver_notifications: '0' })}</configure>`))
    await juliet.request(publish(MOOD, `<item id='2'>${mood('two')}</item>`))
    await nurse.receivesNothing()
  })
  test('of deletion, purge, configuration and retraction is told too', async () => {
    const nurse = await contact()
    const to = 'nurse@capulet.example/hall'
    await juliet.request(publish(MOOD, `<item id='1'>${mood('one')}</item>`, { max_items: '5' }))
    await juliet.request(pubsub('set', `<retract node='${MOOD}'><item id='1'/></retract>`))
    await juliet.request(owner('set', `<purge node='${MOOD}'/>`))
    await juliet.request(owner('set', `<configure node='${MOOD}'>${submitted('node_config', { deliver_payloads: '0', notify_config: '1' })}</configure>`))
    await juliet.request(owner('set', `<delete node='${MOOD}'><redirect uri='xmpp:${JULIET}?;node=x'/></delete>`))
    await nurse.receives(
      event(JULIET, to, published('one', '1')), event(JULIET, to, `<items node='${MOOD}'><retract id='1'/></items>`),
      event(JULIET, to, `<purge node='${MOOD}'/>`), event(JULIET, to, `<configuration node='${MOOD}'/>`),
      event(JULIET, to, `<delete node='${MOOD}'><redirect uri='xmpp:${JULIET}?;node=x'/></delete>`),
    )
  })
  test('of the oldest item that made room is told where a node has several', async () => {
    const nurse = await contact()
    const to = 'nurse@capulet.example/hall'
    for (const id of ['1', '2', '3']) await juliet.request(publish(MOOD, `<item id='${id}'>${mood(id)}</item>`, { max_items: '2' }))
    await nurse.receives(
      event(JULIET, to, published('1', '1')), event(JULIET, to, published('2', '2')),
      event(JULIET, to, `<items node='${MOOD}'><retract id='1'/></items>`), event(JULIET, to, published('3', '3')),
    )
  })
})

describe('XEP-0163 §4.3.4: the last item', () => {
  test('goes to contacts who come online, whether the owner is there or not, stamped with its time', async () => {
    const nurse = await contact()
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`))
    await host.disconnect(nurse)
    await host.disconnect(juliet)
    const again = await host.connect('nurse', 'hall')
    again.send(presenceWanting([MOOD]))
    await again.receivesAnyOrder(event(JULIET, 'nurse@capulet.example/hall', published('happy'), DELAY))
    again.clear()
    // Not again while the resource stays available.
    again.send(presenceWanting([MOOD]).replace('</presence>', '<show>away</show></presence>'))
    await again.receives('<presence from="nurse@capulet.example/hall" to="nurse@capulet.example"><c xmlns="http://jabber.org/protocol/caps" '
      + "hash='sha-1' node='{any}' ver='{any}'/><show>away</show></presence>")
    await again.receivesNothing()
  })
  test('goes to own resources that come online', async () => {
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`))
    const chamber = await host.connect('juliet', 'chamber')
    chamber.send(presenceWanting([MOOD]))
    await host.settle()
    await tellWants(host, chamber, [MOOD])
    await chamber.receives(event(JULIET, `${JULIET}/chamber`, published('happy'), DELAY))
  })
  test('survives a restart, and comes from an account that nobody is connected to', async () => {
    await contact()
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`))
    const { storage } = host
    await host.stop()
    host = await startPep({ storage })
    const again = await host.connect('nurse', 'hall')
    again.send(presenceWanting([MOOD]))
    await host.settle()
    await tellWants(host, again, [MOOD])
    await again.receivesAnyOrder(event(JULIET, 'nurse@capulet.example/hall', published('happy'), DELAY))
  })
  test('goes to who gets to see the presence', async () => {
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`))
    const nurse = await loginWanting(host, 'nurse', 'hall', [MOOD])
    nurse.clear()
    nurse.send(`<presence type='subscribe' to='${JULIET}'/>`)
    await host.settle()
    juliet.send("<presence type='subscribed' to='nurse@capulet.example'/>")
    await nurse.receivesAnyOrder(event(JULIET, 'nurse@capulet.example/hall', published('happy'), DELAY))
  })
  test('does not go to strangers, to the blocked, or where the node never sends it (XEP-0222)', async () => {
    const nurse = await contact()
    await juliet.request(publish(MOOD, `<item>${mood('happy')}</item>`, { send_last_published_item: 'never' }))
    await juliet.request(publish('urn:example:open', `<item>${mood('open')}</item>`, { access_model: 'open' }))
    await host.disconnect(nurse)
    const wants = [MOOD, 'urn:example:open']
    const tybalt = await loginWanting(host, 'tybalt', 'alley', wants)
    await tybalt.receivesNothing()
    await juliet.request("<iq type='set' id='b1'><block xmlns='urn:xmpp:blocking'><item jid='nurse@capulet.example'/></block></iq>")
    const again = await loginWanting(host, 'nurse', 'hall', wants)
    again.clear()
    await again.receivesNothing()
  })
})

describe('contacts of other servers', () => {
  const ROMEO = 'romeo@montague.example'
  let montague: ScriptedEntity
  beforeEach(async () => {
    montague = await host.component('montague.example')
    juliet.send(`<presence type='subscribe' to='${ROMEO}'/>`)
    await host.settle()
    montague.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribed'/>`)
    montague.send(`<presence from='${ROMEO}' to='${JULIET}' type='subscribe'/>`)
    await host.settle()
    juliet.send(`<presence type='subscribed' to='${ROMEO}'/>`)
    await host.settle()
    montague.clear()
    juliet.clear()
  })
  const come = async () => {
    montague.send(presenceWanting([MOOD], ` from='${ROMEO}/orchard' to='${JULIET}'`))
    await host.settle()
    await tellWants(host, montague, [MOOD])
  }

  test('get the last item when they come and events while they are there', async () => {
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`))
    await come()
    await montague.receives(event(JULIET, `${ROMEO}/orchard`, published('one'), DELAY))
    await juliet.request(publish(MOOD, `<item>${mood('two')}</item>`))
    await montague.receives(event(JULIET, `${ROMEO}/orchard`, published('two')))
    await come()
    await montague.receivesNothing()
    montague.send(`<presence type='unavailable' from='${ROMEO}/orchard' to='${JULIET}'/>`)
    await juliet.request(publish(MOOD, `<item>${mood('three')}</item>`))
    await montague.receivesNothing()
  })
  test('are asked for their presence when there is something to tell for the first time', async () => {
    await come()
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`))
    await montague.receives(`<presence from='${JULIET}' to='${ROMEO}' type='probe' id='{any}'/>`)
    await come()
    await montague.receives(event(JULIET, `${ROMEO}/orchard`, published('one'), DELAY))
  })
  test('who ask for the presence of somebody away are asked what they want, and get it', async () => {
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`))
    await host.disconnect(juliet)
    montague.clear()
    montague.send(`<presence type='probe' from='${ROMEO}/orchard' to='${JULIET}'/>`)
    await host.settle()
    await tellWants(host, montague, [MOOD])
    await montague.receives(event(JULIET, `${ROMEO}/orchard`, published('one'), DELAY))
  })
  test('who lose sight of the presence are told no more, and lose what they subscribed to', async () => {
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`))
    montague.clear()
    await montague.request(pubsub('set', `<subscribe node='${MOOD}' jid='${ROMEO}'/>`, `${TO_JULIET} from='${ROMEO}/orchard'`))
    await come()
    montague.clear()
    juliet.send(`<presence type='unsubscribed' to='${ROMEO}'/>`)
    await montague.receivesAnyOrder(event(JULIET, ROMEO, `<subscription node='${MOOD}' jid='${ROMEO}' subscription='none'/>`))
    montague.clear()
    await juliet.request(publish(MOOD, `<item>${mood('two')}</item>`))
    await montague.receivesNothing()
  })
})

describe('XEP-0060 §6.1: explicit subscribers', () => {
  test('of open nodes get the last item and every event at the address they gave', async () => {
    const tybalt = await host.login('tybalt', 'alley')
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`, { access_model: 'open' }))
    await tybalt.request(pubsub('set', `<subscribe node='${MOOD}' jid='tybalt@capulet.example/alley'/>`, TO_JULIET))
    await tybalt.receives(event(JULIET, 'tybalt@capulet.example/alley', published('one'), DELAY))
    await juliet.request(publish(MOOD, `<item>${mood('two')}</item>`))
    await tybalt.receives(event(JULIET, 'tybalt@capulet.example/alley', published('two')))
    await tybalt.request(pubsub('set', `<unsubscribe node='${MOOD}' jid='tybalt@capulet.example/alley'/>`, TO_JULIET))
    await juliet.request(publish(MOOD, `<item>${mood('three')}</item>`))
    await tybalt.receivesNothing()
  })
  test('are told when the owner ends a subscription, or when it ends because the node closes', async () => {
    const tybalt = await host.login('tybalt', 'alley')
    const bare = 'tybalt@capulet.example'
    await juliet.request(publish(MOOD, `<item>${mood('one')}</item>`, { access_model: 'open', send_last_published_item: 'never' }))
    const join = () => tybalt.request(pubsub('set', `<subscribe node='${MOOD}' jid='${bare}'/>`, TO_JULIET))
    await join()
    await juliet.request(owner('set', `<subscriptions node='${MOOD}'><subscription jid='${bare}' subscription='none'/></subscriptions>`))
    await tybalt.receives(event(JULIET, bare, `<subscription node='${MOOD}' jid='${bare}' subscription='none'/>`))
    await join()
    await juliet.request(owner('set', `<configure node='${MOOD}'>${submitted('node_config', { access_model: 'presence' })}</configure>`))
    await tybalt.receives(event(JULIET, bare, `<subscription node='${MOOD}' jid='${bare}' subscription='none'/>`))
  })
})
