"""A service beside the server (XEP-0114), written with slixmpp, and people who talk to it."""

import asyncio

from slixmpp.componentxmpp import ComponentXMPP

from support import WAIT_SECONDS, clients, error_in

DOMAIN = 'friar.verona.example'
SECRET = 'potion'


class Component(ComponentXMPP):
    """Answers messages and subscription requests; a client that the support module can end."""

    def __init__(self, server, secret=SECRET, domain=DOMAIN):
        super().__init__(domain, secret, '127.0.0.1', server.component_port)
        self.auto_authorize = True
        self.auto_subscribe = False
        self._ends = asyncio.get_event_loop().create_future()
        for plugin in ('xep_0030', 'xep_0199', 'xep_0092'):
            self.register_plugin(plugin)
        self['xep_0030'].add_identity(category='gateway', itype='potion', name='Friar Laurence')
        self.add_event_handler('session_start', lambda _event: self._end('session'))
        self.add_event_handler('stream_error', lambda error: self._end(error['condition']))
        self.add_event_handler('disconnected', lambda _reason: self._end('disconnected'))
        self.add_event_handler('message', self._answer)
        clients.append(self)

    def _end(self, how):
        if not self._ends.done():
            self._ends.set_result(how)

    def _answer(self, message):
        if message['type'] == 'chat':
            message.reply(f"{message['to'].user} heard: {message['body']}").send()

    async def attempt(self):
        self.connect()
        return await asyncio.wait_for(asyncio.shield(self._ends), WAIT_SECONDS)


async def service(server):
    """People write to addresses of the service, ask it, and it writes to them."""
    component = Component(server)
    facts = {'ended': await component.attempt()}
    romeo = await server.online('romeo', 'orchard', plugins=('xep_0092',))
    romeo.send_message(f'laurence@{DOMAIN}/cell', 'Good morrow, father', mtype='chat')
    answer = await romeo.expect_message(lambda found: found['type'] == 'chat')
    facts['answer'] = {'from': answer['from'].full, 'body': answer['body']}
    info = await romeo['xep_0030'].get_info(DOMAIN)
    facts['identities'] = sorted(f'{category}/{kind}' for category, kind, _lang, _name in info['disco_info']['identities'])
    items = await romeo['xep_0030'].get_items(server.host)
    facts['isListed'] = DOMAIN in [item[0] for item in items['disco_items']['items']]
    facts['ping'] = await component['xep_0199'].ping(server.host, ifrom=DOMAIN) >= 0
    component.send_message(server.address('romeo'), 'Wisely and slow', mfrom=f'laurence@{DOMAIN}', mtype='chat')
    facts['toAccount'] = (await romeo.expect_message(lambda found: found['body'] == 'Wisely and slow'))['from'].full
    await asyncio.wait_for(component.disconnect(), WAIT_SECONDS)
    while DOMAIN in [item[0] for item in (await romeo['xep_0030'].get_items(server.host))['disco_items']['items']]:
        await asyncio.sleep(0.05)
    romeo.send_message(f'laurence@{DOMAIN}', 'Still there?', mtype='chat')
    facts['gone'] = error_in(await romeo.expect_message(lambda found: found['type'] == 'error'))
    return facts


async def refused(server):
    """A wrong secret, and a domain that nobody configured."""
    return {
        'secret': await Component(server, secret='poison').attempt(),
        'domain': await Component(server, domain='apothecary.mantua.example').attempt(),
    }
