"""Presence between contacts (RFC 6121 §4)."""

from slixmpp.stanza import Presence


def _facts(presence):
    return {
        'from': presence['from'].full, 'show': presence['show'], 'status': presence['status'], 'priority': presence['priority'],
    }


async def life(server):
    """Come, change, go: the contact sees each with what was said."""
    juliet = await server.online('juliet', 'balcony')
    romeo = await server.online('romeo', 'orchard', available=False)
    romeo.send_presence(pshow='chat', pstatus='O, she doth teach ♥', ppriority=5)
    came = await juliet.expect_presence_of(romeo.boundjid.full)
    answered = await romeo.expect_presence_of(juliet.boundjid.full)
    romeo.send_presence(pshow='dnd', pstatus='the torches', ppriority=-1)
    changed = await juliet.expect_presence_of(romeo.boundjid.full)
    romeo.send_presence(ptype='unavailable', pstatus='Thus with a kiss')
    went = await juliet.expect_presence_of(romeo.boundjid.full, 'unavailable')
    romeo.send_presence()
    again = await juliet.expect_presence_of(romeo.boundjid.full)
    romeo.abort()
    lost = await juliet.expect_presence_of(romeo.boundjid.full, 'unavailable')
    return {
        'came': _facts(came), 'answered': answered['from'].full, 'changed': _facts(changed), 'went': went['status'],
        'again': again['from'].full, 'lost': lost['from'].full,
    }


async def own_resources(server):
    """An account's resources see each other."""
    laptop = await server.online('romeo', 'laptop')
    phone = await server.online('romeo', 'phone')
    seen = await laptop.expect_presence_of(phone.boundjid.full)
    seen_back = await phone.expect_presence_of(laptop.boundjid.full)
    return [seen['from'].resource, seen_back['from'].resource]


async def directed(server):
    """Presence for a stranger, who is told when its sender goes (RFC 6121 §4.6)."""
    stranger = await server.online('tybalt', 'street')
    romeo = await server.online('romeo', 'orchard')
    romeo.send_presence(pto=stranger.boundjid, pstatus='Good Capulet')
    seen = await stranger.expect_presence_of(romeo.boundjid.full)
    romeo.send_presence(pshow='away')
    await stranger.settled(romeo)
    unseen = stranger.take(Presence, lambda presence: presence['from'] == romeo.boundjid)
    romeo.abort()
    await stranger.expect_presence_of(romeo.boundjid.full, 'unavailable')
    return {'status': seen['status'], 'isChangeSeen': unseen is not None}


async def probe(server):
    """A contact may ask again; a stranger learns nothing (RFC 6121 §4.3)."""
    juliet = await server.online('juliet', 'balcony')
    juliet.send_presence(pstatus='Ay me')
    romeo = await server.online('romeo', 'orchard')
    await romeo.expect_presence(lambda found: found['status'] == 'Ay me')
    romeo.send_presence(pto=server.address('juliet'), ptype='probe')
    answer = await romeo.expect_presence(lambda found: found['from'] == juliet.boundjid)
    tybalt = await server.online('tybalt', 'street')
    tybalt.send_presence(pto=server.address('juliet'), ptype='probe')
    await tybalt.settled(juliet)
    told = [presence for presence in tybalt.inbox if isinstance(presence, Presence) and presence['from'].full == juliet.boundjid.full]
    return {'status': answer['status'], 'isStrangerTold': len(told) > 0}


async def bad_priority(server):
    """Priorities are -128 to 127 (RFC 6121 §4.7.2.3)."""
    romeo = await server.online('romeo', 'orchard')
    romeo.send_raw('<presence id="p"><priority>128</priority></presence>')
    error = await romeo.expect_presence(lambda found: found['type'] == 'error')
    return f"{error['error']['type']} {error['error']['condition']}"
