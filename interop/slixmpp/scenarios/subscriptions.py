"""Presence subscriptions: request, approval, denial, cancellation, both ways (RFC 6121 §3)."""

from slixmpp.stanza import Presence


async def both_ways(server):
    """Two strangers become contacts of each other; each step is seen by both."""
    romeo = await server.online('paris', 'county')
    juliet = await server.online('rosaline', 'ball')
    a, b = server.address('paris'), server.address('rosaline')
    facts = {}

    romeo.send_presence_subscription(b, ptype='subscribe', pnick='Paris')
    facts['asked'] = await romeo.expect_push(b)
    request = await juliet.expect_presence_of(a, 'subscribe')
    facts['request'] = {'from': request['from'].full, 'to': request['to'].full}
    juliet.send_presence_subscription(a, ptype='subscribed')
    facts['approvedBySubscriber'] = await romeo.expect_push(b)
    facts['approvedByContact'] = await juliet.expect_push(a)
    await romeo.expect_presence_of(b, 'subscribed')
    presence = await romeo.expect_presence_of(juliet.boundjid.full)
    facts['presence'] = presence['from'].full

    juliet.send_presence_subscription(a, ptype='subscribe')
    facts['askedBack'] = await juliet.expect_push(a)
    await romeo.expect_presence_of(b, 'subscribe')
    romeo.send_presence_subscription(b, ptype='subscribed')
    facts['bothOfContact'] = await juliet.expect_push(a)
    facts['bothOfSubscriber'] = await romeo.expect_push(b)
    presence = await juliet.expect_presence_of(romeo.boundjid.full)
    facts['presenceBack'] = presence['from'].full
    return facts


async def denied(server):
    """A request that is refused leaves no trace but the contact without a subscription."""
    asker = await server.online('sampson', 'street')
    contact = await server.online('gregory', 'street')
    a, b = server.address('sampson'), server.address('gregory')
    asker.send_presence_subscription(b)
    await asker.expect_push(b)
    await contact.expect_presence_of(a, 'subscribe')
    contact.send_presence_subscription(a, ptype='unsubscribed')
    await asker.expect_presence_of(b, 'unsubscribed')
    push = await asker.expect_push(b)
    await asker.settled(contact)
    return {'push': push, 'rosterOfContact': await contact.fetch_roster(), 'left': asker.left(Presence)}


async def cancelled(server):
    """Contacts of each other; one takes the permission back, then gives up the other's, and presence stops."""
    romeo = await server.online('abraham', 'street')
    juliet = await server.online('balthasar', 'street')
    a, b = server.address('abraham'), server.address('balthasar')
    await juliet.expect_presence_of(romeo.boundjid.full)
    await romeo.expect_presence_of(juliet.boundjid.full)

    juliet.send_presence_subscription(a, ptype='unsubscribed')
    facts = {'cancelled': [await romeo.expect_push(b), await juliet.expect_push(a)]}
    await romeo.expect_presence_of(b, 'unsubscribed')
    await romeo.expect_presence_of(juliet.boundjid.full, 'unavailable')

    juliet.send_presence_subscription(a, ptype='unsubscribe')
    facts['unsubscribed'] = [await romeo.expect_push(b), await juliet.expect_push(a)]
    await romeo.expect_presence_of(b, 'unsubscribe')
    await juliet.expect_presence_of(romeo.boundjid.full, 'unavailable')

    juliet.send_presence(pshow='away')
    romeo.send_presence(pshow='dnd')
    await romeo.settled(juliet)
    await juliet.settled(romeo)
    facts['left'] = [entry for client in (romeo, juliet) for entry in client.left(Presence) if client.boundjid.full not in entry]
    return facts


async def removed(server):
    """Removing a contact ends the subscriptions of both directions."""
    romeo = await server.online('peter', 'kitchen')
    juliet = await server.online('nurse', 'chamber')
    a, b = server.address('peter'), server.address('nurse')
    await romeo.expect_presence_of(juliet.boundjid.full)
    await romeo.roster_set(b, subscription='remove')
    facts = {'remover': await romeo.expect_push(b)}
    await juliet.expect_presence_of(a, 'unsubscribe')
    await juliet.expect_presence_of(a, 'unsubscribed')
    await juliet.expect_presence_of(romeo.boundjid.full, 'unavailable')
    await romeo.expect_presence_of(juliet.boundjid.full, 'unavailable')
    await juliet.expect_push(a)
    facts['contact'] = (await juliet.fetch_roster()).get(a)
    facts['rosterOfRemover'] = await romeo.fetch_roster()
    return facts


async def while_offline(server):
    """A request waits for the contact, and is repeated at each login until it is answered (RFC 6121 §3.1.3)."""
    asker = await server.online('escalus', 'palace')
    a, b = server.address('escalus'), server.address('laurence')
    asker.send_presence_subscription(b)
    await asker.expect_push(b)
    first = await server.online('laurence', 'cell')
    await first.expect_presence_of(a, 'subscribe')
    await first.leave()
    second = await server.online('laurence', 'cell')
    await second.expect_presence_of(a, 'subscribe')
    second.send_presence_subscription(a, ptype='subscribed')
    await asker.expect_presence_of(b, 'subscribed')
    await second.expect_push(a)
    await second.leave()
    third = await server.online('laurence', 'cell')
    await third.settled(asker)
    return {'roster': (await third.fetch_roster())[a], 'isAskedAgain': third.take(Presence, lambda found: found['type'] == 'subscribe') is not None}


async def approved_before(server):
    """Permission given in advance answers the request when it comes (RFC 6121 §3.4)."""
    contact = await server.online('montague', 'hall')
    asker = await server.online('capulet', 'hall')
    a, b = server.address('capulet'), server.address('montague')
    feature = 'preapproval' in contact.features
    contact.send_presence_subscription(a, ptype='subscribed')
    await contact.expect_push(a)
    asker.send_presence_subscription(b)
    await asker.expect_presence_of(b, 'subscribed')
    await asker.expect_presence_of(contact.boundjid.full)
    return {
        'feature': feature,
        'subscription': (await contact.fetch_roster())[a]['subscription'],
        'isAsked': contact.take(Presence, lambda found: found['type'] == 'subscribe') is not None,
    }
