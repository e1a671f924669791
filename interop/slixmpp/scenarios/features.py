"""Offline messages, carbons, blocking, avatars."""

import datetime

from slixmpp.stanza import Iq, Message, Presence

from support import WAIT_SECONDS, error_in, error_of


async def offline(server):
    """Messages for somebody who is away wait, in order, and say when they came (XEP-0160, XEP-0203)."""
    romeo = await server.online('mercutio', 'orchard')
    account = server.address('benvolio')
    for number in range(3):
        romeo.send_message(account, f'chat {number}', mtype='chat')
    romeo.send_message(account, 'normal', mtype='normal')
    romeo.send_message(account, 'headline', mtype='headline')
    await romeo['xep_0199'].ping(server.host)
    benvolio = await server.online('benvolio', 'street', plugins=('xep_0203',))
    last = await benvolio.expect_message(lambda found: found['body'] == 'normal')
    await benvolio.settled(romeo)
    bodies = benvolio.left(Message)
    age = datetime.datetime.now(datetime.timezone.utc) - last['delay']['stamp']
    await benvolio.leave()
    again = await server.online('benvolio', 'street')
    await again.settled(romeo)
    return {
        'bodies': bodies, 'delayedBy': last['delay']['from'].full, 'isRecent': age.total_seconds() < 60, 'again': again.left(Message),
        'errors': romeo.left(Message),
    }


async def offline_hidden(server):
    """A resource with negative priority gets nothing that waits, until it raises it (RFC 6121 §8.5.2.2)."""
    sender = await server.online('mercutio', 'orchard')
    sender.send_message(server.address('nurse'), 'wait for me', mtype='chat')
    await sender['xep_0199'].ping(server.host)
    nurse = await server.online('nurse', 'chamber', available=False)
    nurse.send_presence(ppriority=-1)
    await nurse.settled(sender)
    hidden = nurse.left(Message)
    nurse.send_presence(ppriority=0)
    await nurse.expect_message(lambda found: found['body'] == 'wait for me')
    return hidden


async def carbons(server):
    """What one resource sends and gets, the others see when they ask for it (XEP-0280)."""
    plugins = ('xep_0280',)
    laptop = await server.online('romeo', 'laptop', plugins=plugins)
    phone = await server.online('romeo', 'phone', plugins=plugins)
    juliet = await server.online('juliet', 'balcony')
    await phone['xep_0280'].enable()
    laptop.send_message(juliet.boundjid, 'sent from the laptop', mtype='chat')
    there = await juliet.expect_message(lambda found: found['type'] == 'chat')
    there.reply('to the laptop').send()
    await laptop.expect_message(lambda found: found['body'] == 'to the laptop')
    sent = await phone.expect_message(lambda found: found.xml.find('{urn:xmpp:carbons:2}sent') is not None)
    received = await phone.expect_message(lambda found: found.xml.find('{urn:xmpp:carbons:2}received') is not None)
    private = juliet.make_message(laptop.boundjid, 'only for the laptop', mtype='chat')
    private.xml.append(_element('<private xmlns="urn:xmpp:carbons:2"/>'))
    private.send()
    await laptop.expect_message(lambda found: found['body'] == 'only for the laptop')
    await phone['xep_0280'].disable()
    laptop.send_message(juliet.boundjid, 'after the end', mtype='chat')
    await juliet.expect_message(lambda found: found['body'] == 'after the end')
    await phone.settled(juliet)
    return {
        'sent': sent['carbon_sent']['body'], 'sentBy': sent['from'].full,
        'received': received['carbon_received']['body'], 'receivedBy': received['from'].full,
        'left': phone.left(Message),
    }


def _element(text):
    from slixmpp.xmlstream import ET
    return ET.fromstring(text)


async def forged_carbon(server):
    """A carbon from a stranger is only a message from a stranger: the server makes none of its own from it."""
    tybalt = await server.online('tybalt', 'street')
    romeo = await server.online('romeo', 'phone', plugins=('xep_0280',))
    await romeo['xep_0280'].enable()
    tybalt.send_raw(
        f'<message to="{romeo.boundjid}" type="chat"><received xmlns="urn:xmpp:carbons:2"><forwarded xmlns="urn:xmpp:forward:0">'
        f'<message xmlns="jabber:client" from="{server.address("juliet")}/x" to="{romeo.boundjid}" type="chat"><body>I hate thee</body></message>'
        '</forwarded></received></message>')
    await romeo.settled(tybalt)
    senders = [stanza['from'].bare for stanza in romeo.inbox if isinstance(stanza, Message)]
    return sorted(set(senders))


async def blocking(server):
    """A blocked contact sees us leave and cannot reach us; unblocking undoes it (XEP-0191)."""
    plugins = ('xep_0191',)
    romeo = await server.online('romeo', 'orchard', plugins=plugins)
    other = await server.online('romeo', 'other', plugins=plugins)
    await other['xep_0191'].get_blocked()
    juliet = await server.online('juliet', 'balcony')
    await juliet.expect_presence_of(romeo.boundjid.full)
    account = server.address('juliet')

    await romeo['xep_0191'].block(account)
    push = await other.expect(Iq, lambda iq: iq['type'] == 'set')
    facts = {'pushed': sorted(jid.full for jid in push['block']['items'])}
    listed = await romeo['xep_0191'].get_blocked()
    facts['listed'] = sorted(jid.full for jid in listed['blocklist']['items'])
    await juliet.expect_presence_of(romeo.boundjid.full, 'unavailable')
    juliet.send_message(romeo.boundjid, 'blocked', mtype='chat')
    error = await juliet.expect_message(lambda found: found['type'] == 'error')
    facts['toBlocker'] = error_in(error)
    facts['iqToBlocker'] = await error_of(juliet['xep_0199'].send_ping(romeo.boundjid))
    romeo.send_message(account, 'to the blocked', mtype='chat')
    error = await romeo.expect_message(lambda found: found['type'] == 'error')
    facts['fromBlocker'] = error_in(error)
    facts['hasBlockedElement'] = error.xml.find('.//{urn:xmpp:blocking:errors}blocked') is not None
    romeo.send_presence(pshow='dnd')

    await romeo['xep_0191'].unblock(account)
    back = await juliet.expect_presence_of(romeo.boundjid.full)
    facts['back'] = back['show']
    juliet.send_message(romeo.boundjid, 'unblocked', mtype='chat')
    await romeo.expect_message(lambda found: found['body'] == 'unblocked')
    facts['leaked'] = [body for body in romeo.left(Message) if body == 'blocked']
    facts['empty'] = len((await romeo['xep_0191'].get_blocked())['blocklist']['items'])
    return facts


async def avatars(server):
    """Who publishes an avatar at a node has it in the card and in presence, and the other way round (XEP-0398)."""
    romeo = await server.online('romeo', 'orchard', plugins=('xep_0054', 'xep_0084'))
    juliet = await server.online('juliet', 'balcony', plugins=('xep_0054', 'xep_0084'))
    image = b'lily'
    name = juliet['xep_0084'].generate_id(image)
    await juliet['xep_0084'].publish_avatar(image, timeout=WAIT_SECONDS)
    info = {'id': name, 'type': 'image/png', 'bytes': len(image)}
    await juliet['xep_0084'].publish_avatar_metadata([info], timeout=WAIT_SECONDS)
    juliet.send_presence(pstatus='with a face')
    seen = await romeo.expect_presence(lambda found: found['from'] == juliet.boundjid and found['status'] == 'with a face')
    card = (await romeo['xep_0054'].get_vcard(juliet.boundjid.bare, timeout=WAIT_SECONDS))['vcard_temp']
    facts = {'name': name, 'inPresence': seen.xml.findtext('*/{vcard-temp:x:update}photo'), 'inCard': card['PHOTO']['BINVAL'].decode()}
    other = b'rose'
    card['PHOTO']['BINVAL'] = other
    await juliet['xep_0054'].publish_vcard(card, timeout=WAIT_SECONDS)
    answer = await romeo['xep_0084'].retrieve_avatar(juliet.boundjid.bare, romeo['xep_0084'].generate_id(other), timeout=WAIT_SECONDS)
    facts['atNode'] = answer['pubsub']['items']['item']['avatar_data']['value'].decode()
    return facts
