"""Contact lists (RFC 6121 §2) and roster versioning."""

from slixmpp.stanza import Iq

from support import error_of, roster_facts


async def imported(server):
    """Contacts that came with the account."""
    romeo = await server.online('romeo', available=False)
    return await romeo.fetch_roster()


async def edit(server):
    """Adds, changes and removes a contact; every resource that asked for the roster gets each push, the others none."""
    laptop = await server.online('mercutio', 'laptop')
    phone = await server.online('mercutio', 'phone')
    idle = await server.online('mercutio', 'idle', available=False)
    contact = server.address('rosaline')
    facts = {'before': await laptop.fetch_roster()}
    await laptop.roster_set(contact, 'Rosaline', ['Capulets', 'Ball'])
    facts['added'] = [await client.expect_push(contact) for client in (laptop, phone)]
    await phone.roster_set(contact, 'Fair Rosaline ♥', ['Ball'])
    facts['changed'] = [await client.expect_push(contact) for client in (laptop, phone)]
    facts['stored'] = await laptop.fetch_roster()
    await laptop.del_roster_item(contact)
    facts['removed'] = [await client.expect_push(contact) for client in (laptop, phone)]
    facts['after'] = await phone.fetch_roster()
    await idle.settled(laptop)
    facts['idle'] = [str(iq) for iq in idle.inbox if isinstance(iq, Iq) and iq['type'] == 'set']
    return facts


async def refused(server):
    """Requests that the server must refuse (RFC 6121 §2.3.3)."""
    client = await server.online('mercutio', 'laptop')
    item = '<query xmlns="jabber:iq:roster">{}</query>'
    contact = server.address('paris')
    return {
        'twoItems': await error_of(client.send_raw_iq('set', item.format(f'<item jid="{contact}"/><item jid="a@{server.host}"/>'))),
        'sameGroupTwice': await error_of(client.send_raw_iq('set', item.format(f'<item jid="{contact}"><group>A</group><group>A</group></item>'))),
        'emptyGroup': await error_of(client.send_raw_iq('set', item.format(f'<item jid="{contact}"><group/></item>'))),
        'longName': await error_of(client.send_raw_iq('set', item.format(f'<item jid="{contact}" name="{"x" * 2000}"/>'))),
        'removeUnknown': await error_of(client.roster_set(contact, subscription='remove')),
        'somebodyElses': await error_of(client.send_raw_iq('get', item.format(''), server.address('romeo'))),
        'left': await client.fetch_roster(),
    }


async def versioning(server):
    """A client with the current version gets an empty answer; one with an old version gets what it missed (RFC 6121 §2.6)."""
    first = await server.online('benvolio', 'first', available=False)
    feature = 'rosterver' in first.features
    await first.roster_set(server.address('mercutio'), 'Mercutio')
    full = await first.get_roster()
    version = full['roster']['ver']
    again = await first.get_roster()
    await first.roster_set(server.address('tybalt'), 'Tybalt')
    push = await first.expect(Iq, lambda iq: iq['type'] == 'set')

    second = await server.online('benvolio', 'second', available=False)
    second.client_roster.version = version
    answer = await second.get_roster()
    missed = roster_facts(answer) or {server.address('tybalt'): await second.expect_push(server.address('tybalt'))}
    return {
        'feature': feature,
        'hasVersion': version != '',
        'items': [len(full['roster']['items']), len(again['roster']['items'])],
        'isPushNewer': push['roster']['ver'] not in ('', version),
        'missed': missed[server.address('tybalt')]['name'],
    }
