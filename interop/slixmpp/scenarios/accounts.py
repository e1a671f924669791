"""Accounts made, changed and removed by clients and by administrators."""

import asyncio

from slixmpp.exceptions import IqError
from slixmpp.stanza import Message

from support import error_in, error_of

ADMIN = 'http://jabber.org/protocol/admin'


async def _register(server, localpart, password):
    """In-band registration, then login on the same stream, as slixmpp does it."""
    client = server.client(localpart, 'new', password=password, plugins=('xep_0077',))
    # slixmpp 1.8 holds back every request until there is a session, its own for registration too.
    client._always_send_everything = True
    facts = {}

    async def register(form):
        facts['fields'] = sorted(form['register']['fields'])
        iq = client.Iq()
        iq['type'] = 'set'
        iq['register']['username'] = localpart
        iq['register']['password'] = password
        try:
            await iq.send(timeout=10)
            facts['answer'] = 'registered'
        except IqError as error:
            facts['answer'] = error_in(error.iq)
    client.add_event_handler('register', register)
    ended = await client.attempt()
    facts['ended'] = ended.reason
    return client, facts


async def register(server):
    client, facts = await _register(server, 'rosaline', 'fair')
    client.send_presence()
    await client['xep_0199'].ping(server.host)
    _taken, facts['taken'] = await _register(server, 'romeo', 'not his')
    return facts


async def registration_closed(server):
    """Without the operator's word there is no such feature."""
    _client, facts = await _register(server, 'paris', 'county')
    return facts


async def change_password(server):
    romeo = await server.online('mercutio', 'street', plugins=('xep_0077',))
    await romeo['xep_0077'].change_password('a plague')
    old = await server.client('mercutio', password=server.passwords['mercutio']).attempt()
    new = await server.client('mercutio', password='a plague').attempt()
    return {'old': f'{old.reason} {old.detail}', 'new': new.reason}


async def remove(server):
    """Removal ends the sessions, tells contacts, and leaves nothing (XEP-0077 §3.2)."""
    gone = await server.online('abraham', 'street', plugins=('xep_0077',))
    contact = await server.online('balthasar', 'street')
    await contact.expect_presence_of(gone.boundjid.full)
    try:
        await asyncio.wait_for(gone['xep_0077'].cancel_registration(timeout=5), 5)
        answer = 'result'
    except (IqError, asyncio.TimeoutError) as error:
        answer = type(error).__name__
    await contact.expect_presence_of(gone.boundjid.full, 'unavailable')
    await contact.expect_presence_of(server.address('abraham'), 'unsubscribed')
    errors = await gone.end_of_stream()
    again = await server.client('abraham').attempt()
    contact.send_message(server.address('abraham'), 'Art thou there?', mtype='chat')
    error = await contact.expect_message(lambda found: found['type'] == 'error')
    return {
        'answer': answer, 'streamErrors': errors, 'login': f'{again.reason} {again.detail}', 'message': error_in(error),
        'subscription': (await contact.fetch_roster()).get(server.address('abraham'), {}).get('subscription'),
    }


async def _fill(client, server, command, **values):
    """Runs a command of one form; the notes and the result form."""
    first = await client['xep_0050'].send_command(server.host, f'{ADMIN}#{command}', timeout=10)
    form = first['command']['form']
    reply = client['xep_0004'].make_form(ftype='submit')
    reply.add_field(var='FORM_TYPE', ftype='hidden', value=ADMIN)
    for var, value in values.items():
        reply.add_field(var=var.replace('_', '-') if var == 'password_verify' else var, value=value)
    last = await client['xep_0050'].send_command(
        server.host, f'{ADMIN}#{command}', action='complete', payload=reply, sessionid=first['command']['sessionid'], timeout=10)
    return first['command']['status'], sorted(form.get_fields()), last['command']['status'], last


async def admin_commands(server):
    """An administrator makes, counts, disables, enables, changes and deletes an account (XEP-0133)."""
    plugins = ('xep_0050', 'xep_0133')
    admin = await server.online('escalus', 'palace', plugins=plugins)
    listed = await admin['xep_0133'].get_commands(server.host)
    nodes = {item[1].split('#')[1] for item in listed['disco_items']['items'] if item[1].startswith(ADMIN)}
    account = server.address('sampson')
    facts = {'hasCommands': {'add-user', 'delete-user', 'end-user-session', 'get-online-users-num', 'announce'} <= nodes}
    started, fields, ended, _ = await _fill(admin, server, 'add-user', accountjid=account, password='thumb', password_verify='thumb')
    facts['add'] = {'started': started, 'fields': fields, 'ended': ended}
    sampson = server.client('sampson', 'street', password='thumb')
    facts['login'] = (await sampson.attempt()).reason
    count = await admin['xep_0050'].send_command(server.host, f'{ADMIN}#get-online-users-num', timeout=10)
    facts['online'] = count['command']['form'].get_values().get('onlineusersnum')
    await _fill(admin, server, 'end-user-session', accountjids=[account])
    facts['endedBy'] = await sampson.end_of_stream()
    await _fill(admin, server, 'disable-user', accountjids=[account])
    refused = await server.client('sampson', password='thumb').attempt()
    facts['disabled'] = f'{refused.reason} {refused.detail}'
    await _fill(admin, server, 'reenable-user', accountjids=[account])
    await _fill(admin, server, 'change-user-password', accountjid=account, password='bitten')
    facts['changed'] = (await server.client('sampson', password='bitten').attempt()).reason
    await _fill(admin, server, 'delete-user', accountjids=[account])
    deleted = await server.client('sampson', password='bitten').attempt()
    facts['deleted'] = f'{deleted.reason} {deleted.detail}'
    return facts


async def announcement(server):
    admin = await server.online('escalus', 'palace', plugins=('xep_0050', 'xep_0133'))
    romeo = await server.online('romeo', 'orchard')
    await _fill(admin, server, 'announce', announcement=['Rebellious subjects,', 'enemies to peace'])
    message = await romeo.expect_message(lambda found: 'Rebellious' in found['body'])
    return {'from': message['from'].full, 'body': message['body']}


async def not_an_admin(server):
    """Commands of administrators are neither shown to others nor run for them."""
    tybalt = await server.online('tybalt', 'street', plugins=('xep_0050', 'xep_0133'))
    listed = await tybalt['xep_0133'].get_commands(server.host)
    error = await error_of(tybalt['xep_0050'].send_command(server.host, f'{ADMIN}#add-user', timeout=10))
    return {'listed': [item[1] for item in listed['disco_items']['items'] if item[1].startswith(ADMIN)], 'error': error}
