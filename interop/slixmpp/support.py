"""slixmpp clients for scenarios: they record what arrives, and every wait of theirs ends.

Nothing is answered by itself: subscription requests are left to the scenario, which is what it tests.
"""

import asyncio
import contextlib
from dataclasses import dataclass

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError
from slixmpp.stanza import Iq, Message, Presence
from slixmpp.xmlstream.stanzabase import StanzaBase

WAIT_SECONDS = 10

clients = []


class Server:
    """Where the server under test listens, and its accounts' passwords."""

    def __init__(self, facts):
        self.host = facts['host']
        self.client_port = facts['clientPort']
        self.client_tls_port = facts['clientTlsPort']
        self.component_port = facts['componentPort']
        self.certificate_file = facts['certificateFile']
        self.passwords = facts['passwords']

    def address(self, localpart, resource=None):
        bare = f'{localpart}@{self.host}'
        return bare if resource is None else f'{bare}/{resource}'

    def client(self, localpart, resource=None, password=None, **options):
        """A client that is not connected yet."""
        if password is None:
            password = self.passwords[localpart]
        return Client(self, self.address(localpart, resource), password, **options)

    async def online(self, localpart, resource=None, *, available=True, plugins=(), **options):
        """A client that has logged in and, unless told otherwise, sent initial presence after fetching its roster."""
        client = self.client(localpart, resource, plugins=plugins, **options)
        await client.login()
        if available:
            await client.fetch_roster()
            client.send_presence()
            await client.expect_presence(lambda presence: presence['from'] == client.boundjid)
        return client


@dataclass
class Ended:
    """Why a login did not end in a session."""

    reason: str
    detail: str = ''


class Client(ClientXMPP):
    """A client that keeps every message and presence until a scenario asks for it."""

    def __init__(self, server, jid, password, *, plugins=(), mechanism=None, binds_channel=True, direct_tls=False):
        super().__init__(jid, password, sasl_mech=mechanism)
        self.site = server
        self.direct_tls = direct_tls
        self.inbox = []
        self.stream_errors = []
        self.auto_authorize = None
        self.auto_subscribe = False
        self.ca_certs = server.certificate_file
        self._news = asyncio.Event()
        self._ends = asyncio.get_event_loop().create_future()
        for plugin in ('xep_0030', 'xep_0199', *plugins):
            self.register_plugin(plugin)
        if not binds_channel:
            self['feature_mechanisms'].sasl_callback = self._credentials_without_channel
        self.add_filter('in', self._record)
        self.add_event_handler('session_start', lambda _event: self._end('session'))
        self.add_event_handler('failed_auth', lambda failure: self._end('sasl', failure['condition']))
        self.add_event_handler('failed_all_auth', lambda _event: self._end('no-mechanism'))
        self.add_event_handler('stream_error', self._on_stream_error)
        self.add_event_handler('disconnected', lambda reason: self._end('disconnected', str(reason)))
        clients.append(self)

    async def _pick_dns_answer(self, domain, port=None):
        # What an SRV record of the served domain would say; it also keeps the domain as the name for the certificate.
        chosen = self.site.client_tls_port if self.direct_tls else self.site.client_port
        return self.site.host, '127.0.0.1', chosen

    def _credentials_without_channel(self, required, optional):
        # slixmpp cannot be told to leave channel binding alone.
        return self['feature_mechanisms']._default_credentials(required, optional - {'channel_binding'})

    def _end(self, reason, detail=''):
        if not self._ends.done():
            self._ends.set_result(Ended(reason, detail))

    def _on_stream_error(self, error):
        self.stream_errors.append(error['condition'])
        self._end('stream-error', error['condition'])

    def _record(self, stanza: StanzaBase):
        if isinstance(stanza, (Message, Presence, Iq)):
            self.inbox.append(stanza)
            self._news.set()
        return stanza

    async def attempt(self):
        """Connects; how that ended: a session, or why not."""
        self.connect((self.site.host, 5222), use_ssl=self.direct_tls)
        return await asyncio.wait_for(asyncio.shield(self._ends), WAIT_SECONDS)

    async def login(self):
        """Connects and waits for the bound session."""
        ended = await self.attempt()
        if ended.reason != 'session':
            raise AssertionError(f'{self.requested_jid} did not log in: {ended}')

    async def fetch_roster(self):
        """The whole roster, whatever version slixmpp has: bare JID to facts."""
        iq = self.Iq()
        iq['type'] = 'get'
        iq.enable('roster')
        return roster_facts(await iq.send(timeout=WAIT_SECONDS))

    async def expect(self, kind, matches=lambda stanza: True, what=''):
        """The first stanza of the kind that matches and has not been taken; waits for it."""
        deadline = asyncio.get_event_loop().time() + WAIT_SECONDS
        while True:
            found = self.take(kind, matches)
            if found is not None:
                return found
            self._news.clear()
            left = deadline - asyncio.get_event_loop().time()
            try:
                await asyncio.wait_for(self._news.wait(), max(left, 0.001))
            except asyncio.TimeoutError:
                waiting = '\n'.join(str(stanza) for stanza in self.inbox)
                raise AssertionError(f'{self.boundjid} got no such {kind.__name__} {what}; it has:\n{waiting}') from None

    def take(self, kind, matches=lambda stanza: True):
        """The first stanza of the kind that matches, if it is there; it is taken out."""
        for index, stanza in enumerate(self.inbox):
            if isinstance(stanza, kind) and matches(stanza):
                return self.inbox.pop(index)
        return None

    async def expect_message(self, matches=lambda stanza: True):
        return await self.expect(Message, matches)

    async def expect_presence(self, matches=lambda stanza: True):
        return await self.expect(Presence, matches)

    async def expect_presence_of(self, sender, kind='available'):
        """A presence of one type from one address, bare or full."""
        def matches(presence):
            full = presence['from']
            return sender in (full.full, full.bare) and kind in (presence['type'], self._kind(presence))
        return await self.expect(Presence, matches, f'{kind} from {sender}')

    @staticmethod
    def _kind(presence):
        # slixmpp gives <show/> as the type of an available presence.
        return presence.xml.attrib.get('type', 'available')

    async def expect_push(self, contact):
        """The next roster push about a contact, as facts."""
        def matches(iq):
            return iq['type'] == 'set' and any(jid.bare == contact for jid in iq['roster']['items'])
        push = await self.expect(Iq, matches, f'roster push about {contact}')
        return roster_facts(push)[contact]

    async def settled(self, sender):
        """What `sender` sent to this client until now is here: the server keeps the order of stanzas between two entities."""
        message = sender.make_message(self.boundjid, mtype='headline', mbody=f'settled {sender.new_id()}')
        message.send()
        await self.expect_message(lambda found: found['body'] == message['body'])

    def left(self, kind):
        """The stanzas of one kind that nobody asked for, as types or, of messages, bodies."""
        found = [stanza for stanza in self.inbox if isinstance(stanza, kind)]
        return [stanza['body'] if kind is Message else f'{self._kind(stanza)} {stanza["from"]}' for stanza in found]

    def roster_set(self, contact, name='', groups=(), subscription=None):
        """Asks the server to add, change or remove a contact."""
        iq = self.Iq()
        iq['type'] = 'set'
        item = {'name': name, 'groups': list(groups)}
        if subscription is not None:
            item['subscription'] = subscription
        iq['roster']['items'] = {contact: item}
        return iq.send(timeout=WAIT_SECONDS)

    async def send_raw_iq(self, kind, payload='', to=None):
        """Sends an iq written as text and waits for its result; raises IqError."""
        iq = self.Iq()
        iq['type'] = kind
        if to is not None:
            iq['to'] = to
        if payload:
            from slixmpp.xmlstream import ET
            iq.append(ET.fromstring(payload))
        return await iq.send(timeout=WAIT_SECONDS)

    async def end_of_stream(self):
        """Waits until the server has closed the connection; the stream errors it sent."""
        deadline = asyncio.get_event_loop().time() + WAIT_SECONDS
        while self.is_connected():
            if asyncio.get_event_loop().time() > deadline:
                raise AssertionError(f'{self.boundjid} is still connected')
            await asyncio.sleep(0.02)
        return self.stream_errors

    async def leave(self):
        await asyncio.wait_for(self.disconnect(), WAIT_SECONDS)


async def close_all():
    """Disconnects whoever is still connected; scenarios need not."""
    for client in clients:
        client.cancel_connection_attempt()
        if client.is_connected():
            # COMPAT(slixmpp 1.8): a TLS transport that the server has just closed is not there any more, and it does not look.
            with contextlib.suppress(AttributeError):
                client.abort()
        if client._run_out_filters is not None:
            client._run_out_filters.cancel()
    await asyncio.sleep(0)


async def error_of(answer):
    """The condition of the stanza error that an iq gets, with its type."""
    try:
        result = await answer
    except IqError as error:
        return f"{error.iq['error']['type']} {error.iq['error']['condition']}"
    return f'no error: {result}'


def error_in(stanza):
    """The same of a message or presence of type error."""
    return f"{stanza['error']['type']} {stanza['error']['condition']}"


def roster_facts(iq):
    """Each item of a roster: subscription, ask, name, groups."""
    facts = {}
    for jid, item in iq['roster']['items'].items():
        facts[jid.bare] = {
            'subscription': item['subscription'], 'ask': item['ask'], 'name': item['name'], 'groups': sorted(item['groups']),
        }
    return facts
