"""What hosts and accounts tell about themselves, and what they keep for clients."""

from slixmpp.xmlstream import ET

from support import error_of


async def disco(server):
    romeo = await server.online('romeo', 'orchard')
    info = await romeo['xep_0030'].get_info(server.host)
    items = await romeo['xep_0030'].get_items(server.host)
    own = await romeo['xep_0030'].get_info(server.address('romeo'))
    stranger = await error_of(romeo['xep_0030'].get_info(server.address('tybalt')))
    missing = await error_of(romeo['xep_0030'].get_info(server.host, node='urn:example:none'))
    return {
        'identities': sorted(f'{category}/{kind}' for category, kind, _lang, _name in info['disco_info']['identities']),
        'features': sorted(info['disco_info']['features']),
        'items': sorted(item[0] for item in items['disco_items']['items']),
        'account': sorted(f'{category}/{kind}' for category, kind, _lang, _name in own['disco_info']['identities']),
        'stranger': stranger,
        'missing': missing,
    }


async def contact_addresses(server):
    """XEP-0157: whom to write to, in the host's disco answer."""
    romeo = await server.online('romeo')
    info = await romeo['xep_0030'].get_info(server.host)
    form = info.xml.find('.//{jabber:x:data}x')
    return {
        field.attrib['var']: [value.text for value in field.findall('{jabber:x:data}value')] for field in form.findall('{jabber:x:data}field')
    }


async def caps(server):
    """slixmpp computes the hash of the server's features itself and asks the node for them (XEP-0115 §5.4)."""
    romeo = server.client('romeo', 'orchard', plugins=('xep_0115',))
    seen = []

    def note(stanza):
        if stanza.xml.tag.endswith('}features'):
            seen.extend(child.attrib for child in stanza.xml if child.tag == '{http://jabber.org/protocol/caps}c')
        return stanza
    romeo.add_filter('in', note)
    await romeo.login()
    stream = seen[-1]
    node = f"{stream['node']}#{stream['ver']}"
    info = await romeo['xep_0030'].get_info(server.host, node=node)
    ver = romeo['xep_0115'].generate_verstring(info['disco_info'], stream['hash'])
    return {'hash': stream['hash'], 'isVerified': ver == stream['ver']}


async def client_caps(server):
    """Caps travel with presence: a contact learns features with one question, and the server passes it on."""
    plugins = ('xep_0115', 'xep_0085', 'xep_0092')
    juliet = await server.online('juliet', 'balcony', plugins=plugins, available=False)
    await juliet['xep_0115'].update_caps()
    juliet.send_presence()
    romeo = await server.online('romeo', 'orchard', plugins=plugins)
    presence = await romeo.expect_presence_of(juliet.boundjid.full)
    info = await romeo['xep_0030'].get_info(juliet.boundjid)
    return {
        'hasCaps': presence.xml.find('{http://jabber.org/protocol/caps}c') is not None,
        'chatStates': 'http://jabber.org/protocol/chatstates' in info['disco_info']['features'],
    }


async def small_questions(server):
    """Ping, version, time, last activity."""
    romeo = await server.online('romeo', 'orchard', plugins=('xep_0092', 'xep_0202', 'xep_0012'))
    seconds = await romeo['xep_0199'].ping(server.host)
    own = await romeo['xep_0199'].ping(server.address('romeo'))
    version = await romeo['xep_0092'].get_version(server.host)
    time = await romeo['xep_0202'].get_entity_time(server.host)
    uptime = await romeo['xep_0012'].get_last_activity(server.host)
    return {
        'pings': [seconds >= 0, own >= 0],
        'name': version['software_version']['name'],
        'hasVersion': version['software_version']['version'] != '',
        # slixmpp 1.8 cannot read fractions of a second there.
        'utc': time.xml.find('.//{urn:xmpp:time}utc').text,
        'tzo': time.xml.find('.//{urn:xmpp:time}tzo').text,
        'uptime': 0 <= uptime['last_activity']['seconds'] < 3600,
    }


async def last_seen(server):
    """When a contact was last there, and with which words it went; a stranger is told nothing (XEP-0012 §3)."""
    plugins = ('xep_0012',)
    juliet = await server.online('juliet', 'balcony')
    romeo = await server.online('romeo', 'orchard', plugins=plugins)
    here = await romeo['xep_0012'].get_last_activity(server.address('juliet'))
    juliet.send_presence(ptype='unavailable', pstatus='Good night, good night')
    await juliet['xep_0199'].ping(server.host)
    await juliet.leave()
    await romeo.expect_presence_of(juliet.boundjid.full, 'unavailable')
    gone = await romeo['xep_0012'].get_last_activity(server.address('juliet'))
    tybalt = await server.online('tybalt', 'street', plugins=plugins)
    return {
        'here': here['last_activity']['seconds'],
        'gone': gone['last_activity']['seconds'] < 60, 'status': gone['last_activity']['status'],
        'stranger': await error_of(tybalt['xep_0012'].get_last_activity(server.address('juliet'))),
    }


async def vcard(server):
    """Own card, read by others, changed by nobody else."""
    romeo = await server.online('romeo', 'orchard', plugins=('xep_0054',))
    card = romeo['xep_0054'].make_vcard()
    card['FN'] = 'Romeo Montague ♥'
    card['NICKNAME'] = ['Rom']
    card['JABBERID'] = server.address('romeo')
    await romeo['xep_0054'].publish_vcard(card)
    tybalt = await server.online('tybalt', 'street', plugins=('xep_0054',))
    read = await tybalt['xep_0054'].get_vcard(server.address('romeo'), local=False)
    empty = await error_of(tybalt['xep_0054'].get_vcard(server.address('juliet'), local=False))
    forged = tybalt.Iq()
    forged['type'] = 'set'
    forged['to'] = server.address('romeo')
    forged.append(ET.fromstring('<vCard xmlns="vcard-temp"><FN>A villain</FN></vCard>'))
    return {'name': read['vcard_temp']['FN'], 'empty': empty, 'forged': await error_of(forged.send(timeout=10))}


async def private_storage(server):
    """XML kept for the own account only, by element."""
    romeo = await server.online('romeo', 'orchard')
    query = '<query xmlns="jabber:iq:private">{}</query>'
    await romeo.send_raw_iq('set', query.format('<notes xmlns="urn:example:notes"><note>Queen Mab ♥</note></notes>'))
    kept = await romeo.send_raw_iq('get', query.format('<notes xmlns="urn:example:notes"/>'))
    other = await romeo.send_raw_iq('get', query.format('<other xmlns="urn:example:other"/>'))
    tybalt = await server.online('tybalt')
    stranger = await error_of(tybalt.send_raw_iq('get', query.format('<notes xmlns="urn:example:notes"/>'), server.address('romeo')))
    return {
        'kept': kept.xml.find('.//{urn:example:notes}note').text,
        'other': len(other.xml.find('.//{urn:example:other}other')),
        'stranger': stranger,
    }


async def answers_between_clients(server):
    """A request to a full address is answered by that client, and by an error when it is gone."""
    juliet = await server.online('juliet', 'balcony', plugins=('xep_0092',))
    romeo = await server.online('romeo', 'orchard', plugins=('xep_0092',))
    juliet['xep_0092'].software_name = 'Balcony'
    version = await romeo['xep_0092'].get_version(juliet.boundjid)
    gone = await error_of(romeo['xep_0092'].get_version(f'{server.address("juliet")}/gone'))
    return {'name': version['software_version']['name'], 'gone': gone}
