"""An app server for push notifications (XEP-0357), a component of its own, and a phone that registers with it."""

import asyncio

from slixmpp.componentxmpp import ComponentXMPP
from slixmpp.stanza import Iq
from slixmpp.xmlstream import ET
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

from support import WAIT_SECONDS, clients

DOMAIN = 'push.verona.example'
SECRET = 'nightingale'
NODE = 'phone-of-juliet'
NS = 'urn:xmpp:push:0'
PUBSUB = '{http://jabber.org/protocol/pubsub}'
DATA = '{jabber:x:data}'
# Longer than the server waits between two notifications.
QUIET_SECONDS = 2

ENABLE = (
    f'<enable xmlns="{NS}" jid="{DOMAIN}" node="{NODE}"><x xmlns="jabber:x:data" type="submit">'
    '<field var="FORM_TYPE"><value>http://jabber.org/protocol/pubsub#publish-options</value></field>'
    '<field var="secret"><value>lark</value></field></x></enable>'
)


class AppServer(ComponentXMPP):
    """Takes what is published, as the maker of an app does before he tells the phone's own push service."""

    def __init__(self, server):
        super().__init__(DOMAIN, SECRET, '127.0.0.1', server.component_port)
        self.published = asyncio.Queue()
        self.refuses = False
        self.is_online = asyncio.get_event_loop().create_future()
        self.add_event_handler('session_start', lambda _event: self.is_online.set_result(True))
        self.register_handler(Callback('publish', MatchXPath(f'{{{self.default_ns}}}iq/{PUBSUB}pubsub'), self._on_publish))
        clients.append(self)

    def _on_publish(self, iq):
        publish = iq.xml.find(f'{PUBSUB}pubsub/{PUBSUB}publish')
        options = iq.xml.find(f'{PUBSUB}pubsub/{PUBSUB}publish-options')
        summary = publish.find(f'{PUBSUB}item/{{{NS}}}notification/{DATA}x')
        self.published.put_nowait({
            'from': iq['from'].full, 'node': publish.get('node'), 'summary': fields(summary), 'options': fields(options.find(f'{DATA}x')),
        })
        if self.refuses:
            reply = iq.reply(clear=True)
            reply['type'] = 'error'
            reply['error']['type'] = 'cancel'
            reply['error']['condition'] = 'item-not-found'
            reply.send()
        else:
            iq.reply(clear=True).send()

    async def next(self):
        return await asyncio.wait_for(self.published.get(), WAIT_SECONDS)

    async def nothing_for(self, seconds):
        await asyncio.sleep(seconds)
        return self.published.empty()


def fields(form):
    """What a form says, without its FORM_TYPE."""
    found = {field.get('var'): field.findtext(f'{DATA}value') for field in form.iter(f'{DATA}field')}
    del found['FORM_TYPE']
    return found


async def phone_of(server):
    """A phone that is online, with stream management."""
    phone = await server.online('juliet', 'phone', plugins=('xep_0198',))
    while not phone['xep_0198'].enabled_in:
        await asyncio.sleep(0.02)
    return phone


async def app_server(server):
    """Registers, goes away in every way there is, comes back, and is given up when the app server says so."""
    app = AppServer(server)
    app.connect()
    await asyncio.wait_for(app.is_online, WAIT_SECONDS)
    romeo = await server.online('romeo', 'orchard')
    account = server.address('juliet')
    facts = {}

    phone = await phone_of(server)
    info = await phone['xep_0030'].get_info(jid=account)
    facts['isOffered'] = NS in info['disco_info']['features']
    facts['enabled'] = (await phone.send_raw_iq('set', ENABLE))['type']
    romeo.send_message(account, 'while online', mtype='chat')
    await phone.expect_message(lambda found: found['body'] == 'while online')
    facts['isQuietWhileOnline'] = await app.nothing_for(QUIET_SECONDS)

    # The connection is lost; the server keeps the session.
    phone.abort()
    romeo.send_message(account, 'while lost', mtype='chat')
    facts['lost'] = await app.next()

    phone = await phone_of(server)
    await phone.expect_message(lambda found: found['body'] == 'while lost')
    await phone.leave()
    for number in range(3):
        romeo.send_message(account, f'while away {number}', mtype='chat')
    romeo.send_raw(f'<message to="{account}" type="chat"><composing xmlns="http://jabber.org/protocol/chatstates"/></message>')
    facts['away'] = [await app.next()]
    while facts['away'][-1]['summary'].get('message-count') != '3':
        facts['away'].append(await app.next())
    facts['away'] = facts['away'][-1]['summary']

    app.refuses = True
    romeo.send_message(account, 'to a phone that was sold', mtype='chat')
    facts['refused'] = (await app.next())['summary']
    romeo.send_message(account, 'nobody is told', mtype='chat')
    facts['isGivenUp'] = await app.nothing_for(QUIET_SECONDS)

    phone = await phone_of(server)
    facts['waited'] = [
        (await phone.expect_message(lambda found, body=body: found['body'] == body))['body']
        for body in ('while away 0', 'while away 1', 'while away 2', 'to a phone that was sold', 'nobody is told')
    ]
    return facts
