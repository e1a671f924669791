"""A chat client made of slixmpp, for one conversation: told by lines of JSON on standard input, it answers each with one.

{"say": "text"} writes; {"shown": true} is answered with the texts of the conversation, as a user would see them. It does
what XEP-0198, XEP-0280 and XEP-0313 expect of a client: resumes when it can, else binds anew and asks the archive for what
came after the last message that it knows, showing nothing newer before that. It knows messages by their ids (XEP-0359).
"""

import asyncio
import json
import logging
import sys

from slixmpp import ClientXMPP

RECONNECT_SECONDS = 0.5
QUERY_SECONDS = 20
PAGE_MESSAGES = 5
PAGES_MAX = 20
FIN = '{urn:xmpp:mam:2}fin'
ARCHIVED = '{urn:xmpp:sid:0}stanza-id'


class Person(ClientXMPP):

    def __init__(self, facts):
        super().__init__(f'{facts["localpart"]}@{facts["host"]}/slixmpp', facts['password'])
        self.facts = facts
        self.ca_certs = facts['certificateFile']
        self.conversation = []
        self._known = set()
        self._last_archived = None
        # Live messages that wait until the archive was asked.
        self._held = None
        self.online = asyncio.get_event_loop().create_future()
        for plugin in ('xep_0030', 'xep_0198', 'xep_0280', 'xep_0313'):
            self.register_plugin(plugin)
        self.add_event_handler('session_start', self._on_session)
        self.add_event_handler('disconnected', lambda _reason: self.loop.call_later(RECONNECT_SECONDS, self.open))
        self.add_event_handler('connection_failed', lambda reason: logging.info('no connection: %s', reason))
        self.add_event_handler('message', self._on_message)
        self.add_event_handler('carbon_received', lambda copy: self._on_message(copy['carbon_received']))
        self.add_event_handler('carbon_sent', lambda copy: self._on_message(copy['carbon_sent']))

    def open(self):
        self.connect((self.facts['host'], 5222))

    async def _pick_dns_answer(self, domain, port=None):
        return self.facts['host'], '127.0.0.1', self.facts['port']

    async def _on_session(self, _event):
        self._held = []
        self.send_presence()
        await self['xep_0280'].enable(timeout=QUERY_SECONDS)
        await self._catch_up()
        held, self._held = self._held, None
        for message in held:
            self._show(message)
        if not self.online.done():
            self.online.set_result(True)

    async def _catch_up(self):
        after = self._last_archived
        for _ in range(PAGES_MAX):
            # An empty one asks for the first page.
            page = await self['xep_0313'].retrieve(rsm={'max': PAGE_MESSAGES, 'after': after or ''}, timeout=QUERY_SECONDS)
            for result in page['mam']['results']:
                archived = result['mam_result']
                self._show(archived['forwarded']['stanza'], archived['id'])
                after = self._last_archived = archived['id']
            if page.xml.find(FIN).get('complete') == 'true':
                return
        raise RuntimeError('the archive has no end')

    def _on_message(self, message):
        if self._held is None:
            self._show(message)
        else:
            self._held.append(message)

    def _show(self, message, archive_id=None):
        if not message['body'] or message['type'] == 'error':
            return
        if archive_id is None:
            own = [found.get('id') for found in message.xml.iter(ARCHIVED) if found.get('by') == self.boundjid.bare]
            archive_id = own[0] if own else None
        # The own messages of this client come back from the archive under the id that it gave them.
        ids = {('archive', archive_id), ('own', message['id'] if message['from'].bare == self.boundjid.bare else None)}
        ids = {(kind, value) for kind, value in ids if value}
        if archive_id is not None:
            self._last_archived = archive_id
        if ids & self._known:
            return
        self._known |= ids
        self.conversation.append(message['body'])

    def say(self, text):
        message = self.make_message(self.facts['peer'], text, mtype='chat')
        message['id'] = self.new_id()
        message['from'] = self.boundjid
        self._show(message)
        message.send()


async def main():
    loop = asyncio.get_event_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    person = Person(json.loads(await lines.readline()))
    person.open()
    await person.online
    print('{}', flush=True)
    while line := await lines.readline():
        command = json.loads(line)
        if 'say' in command:
            person.say(command['say'])
        print(json.dumps({'shown': person.conversation}), flush=True)
    person.abort()


if __name__ == '__main__':
    logging.basicConfig(level=logging.DEBUG, format='%(relativeCreated)d %(name)s %(levelname)s %(message)s')
    asyncio.new_event_loop().run_until_complete(main())
