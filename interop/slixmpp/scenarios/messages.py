"""Messages to addresses with and without resource, of every type (RFC 6121 §8)."""

from slixmpp.stanza import Message

from support import error_in


async def full_address(server):
    """A chat both ways, with what slixmpp adds and text that needs escaping."""
    romeo = await server.online('romeo', 'orchard')
    juliet = await server.online('juliet', 'balcony')
    romeo.send_message(juliet.boundjid, '<&>"\' ♥ 日本\n\ttwo lines', msubject='Balcony & garden', mtype='chat')
    there = await juliet.expect_message(lambda found: found['type'] == 'chat')
    there.reply('Art thou not Romeo?').send()
    back = await romeo.expect_message(lambda found: found['type'] == 'chat')
    return {
        'body': there['body'], 'subject': there['subject'], 'from': there['from'].full, 'to': there['to'].full,
        'back': back['body'], 'backFrom': back['from'].full, 'lang': there['lang'],
    }


async def bare_address(server):
    """To the account: chat goes to the resources with the highest priority, headlines to all that are not negative."""
    sender = await server.online('romeo', 'orchard')
    high = await server.online('juliet', 'high')
    low = await server.online('juliet', 'low')
    hidden = await server.online('juliet', 'hidden')
    high.send_presence(ppriority=10)
    low.send_presence(ppriority=1)
    hidden.send_presence(ppriority=-1)
    for client, priority in ((high, 10), (low, 1), (hidden, -1)):
        await client.expect_presence(lambda found, client=client, priority=priority: found['from'] == client.boundjid and found['priority'] == priority)
    account = server.address('juliet')
    for kind in ('chat', 'normal', 'headline', 'groupchat'):
        sender.send_message(account, kind, mtype=kind)
    error = await sender.expect_message(lambda found: found['type'] == 'error')
    for client in (high, low, hidden):
        await client.settled(sender)
    return {
        **{client.boundjid.resource: client.left(Message) for client in (high, low, hidden)},
        'groupchat': error_in(error),
    }


async def missing_resource(server):
    """To a resource that is not there (RFC 6121 §8.5.3.2)."""
    sender = await server.online('romeo', 'orchard')
    juliet = await server.online('juliet', 'balcony')
    gone = f'{server.address("juliet")}/gone'
    sender.send_message(gone, 'chat to gone', mtype='chat')
    there = await juliet.expect_message(lambda found: found['body'] == 'chat to gone')
    sender.send_message(gone, 'headline to gone', mtype='headline')
    sender.send_message(gone, 'groupchat to gone', mtype='groupchat')
    error = await sender.expect_message(lambda found: found['type'] == 'error')
    await juliet.settled(sender)
    return {'chat': there['to'].full, 'groupchat': error_in(error), 'left': juliet.left(Message)}


async def nobody(server):
    """To an account that does not exist, and to a domain that nobody serves."""
    sender = await server.online('romeo', 'orchard')
    facts = {}
    for name, address in (('account', server.address('rosencrantz')), ('domain', 'hamlet@elsinore.invalid')):
        sender.send_message(address, 'Who is there?', mtype='chat')
        error = await sender.expect_message(lambda found: found['type'] == 'error')
        facts[name] = {'error': error_in(error), 'from': error['from'].full}
    return facts


async def to_self(server):
    """To the own account and without an address."""
    laptop = await server.online('romeo', 'laptop')
    laptop.send_message(server.address('romeo'), 'note', mtype='chat')
    note = await laptop.expect_message(lambda found: found['body'] == 'note')
    laptop.send_raw('<message type="chat" id="m1"><body>no address</body></message>')
    plain = await laptop.expect_message(lambda found: found['body'] == 'no address')
    return {'from': note['from'].full, 'plainFrom': plain['from'].full}


async def forged_sender(server):
    """A stanza from somebody else's address is refused (RFC 6120 §8.1.2.1)."""
    romeo = await server.online('romeo', 'orchard')
    juliet = await server.online('juliet', 'balcony')
    romeo.send_raw(f'<message from="{server.address("tybalt")}" to="{juliet.boundjid}"><body>I hate the word</body></message>')
    errors = await romeo.end_of_stream()
    await juliet['xep_0199'].send_ping(server.host)
    return {'errors': errors, 'left': juliet.left(Message)}


async def order(server):
    """A thousand messages arrive in the order sent (RFC 6120 §10.1)."""
    romeo = await server.online('romeo', 'orchard')
    juliet = await server.online('juliet', 'balcony')
    count = 1000
    for number in range(count):
        romeo.send_message(juliet.boundjid, str(number), mtype='chat')
    await juliet.expect_message(lambda found: found['body'] == str(count - 1))
    bodies = juliet.left(Message)
    return bodies == [str(number) for number in range(count - 1)]
