"""TLS, SASL mechanisms, resource binding and the end of streams."""

import asyncio
import ssl

from support import error_of


async def _log_in(server, **options):
    client = server.client('romeo', 'orchard', **options)
    ended = await client.attempt()
    if ended.reason != 'session':
        return {'ended': ended.reason, 'detail': ended.detail}
    await client['xep_0199'].send_ping(server.host)
    facts = {
        'bound': client.boundjid.full,
        'mechanism': client['feature_mechanisms'].mech.name,
        'hasServerProof': getattr(client['feature_mechanisms'].mech, '_mutual_auth', False),
        'tls': client.socket.version(),
    }
    await client.leave()
    return facts


async def mechanisms(server):
    """Logs in once with each mechanism that slixmpp and the server share."""
    names = [f'SCRAM-{hash}{plus}' for hash in ('SHA-1', 'SHA-256', 'SHA-512') for plus in ('', '-PLUS')]
    facts = {}
    for name in [*names, 'PLAIN']:
        facts[name] = await _log_in(server, mechanism=name, binds_channel=name.endswith('-PLUS'))
    return facts


async def downgrade(server):
    """A client that can bind the channel and believes that the server cannot was robbed of the -PLUS mechanisms (RFC 5802 §6)."""
    return await _log_in(server, mechanism='SCRAM-SHA-256', binds_channel=True)


async def best_mechanism(server):
    return await _log_in(server)


async def tls_1_2(server):
    """SCRAM-PLUS bound by tls-unique as RFC 5929 has it."""
    client = server.client('romeo', 'orchard', mechanism='SCRAM-SHA-256-PLUS')
    client.ssl_context.maximum_version = ssl.TLSVersion.TLSv1_2
    ended = await client.attempt()
    return {'ended': ended.reason, 'tls': client.socket.version()}


async def direct_tls(server):
    return await _log_in(server, direct_tls=True)


async def offered_mechanisms(server):
    client = server.client('romeo')
    await client.attempt()
    return sorted(client['feature_mechanisms'].mech_list)


async def wrong_password(server):
    facts = {}
    for mechanism in ('SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN'):
        ended = await server.client('romeo', password='tybalt', mechanism=mechanism).attempt()
        facts[mechanism] = f'{ended.reason} {ended.detail}'
    return facts


async def unknown_account(server):
    """Nobody learns from the answer that the account does not exist."""
    facts = {}
    for mechanism in ('SCRAM-SHA-256', 'PLAIN'):
        ended = await server.client('rosaline', password='rosaline', mechanism=mechanism).attempt()
        facts[mechanism] = f'{ended.reason} {ended.detail}'
    return facts


async def tls_refused(server):
    """A client that insists on a certificate of somebody else does not go on."""
    client = server.client('romeo')
    client.ca_certs = None
    client.add_event_handler('ssl_invalid_chain', lambda _error: client._end('untrusted'))
    ended = await client.attempt()
    return ended.reason


async def no_tls(server):
    """Without TLS there is nothing to log in with."""
    client = server.client('romeo')
    features = asyncio.get_event_loop().create_future()

    def on_features(stanza):
        if stanza.xml.tag.endswith('}features') and not features.done():
            features.set_result(sorted(child.tag.split('}')[1] for child in stanza.xml))
        return stanza
    client.add_filter('in', on_features)
    client.connect((server.host, 5222), disable_starttls=True)
    return await asyncio.wait_for(features, 10)


async def server_resource(server):
    """The server chooses resources for those who ask for none, and they differ."""
    first = await server.online('romeo')
    second = await server.online('romeo')
    return {
        'isBare': first.boundjid.bare == server.address('romeo'),
        'resourceLengths': [len(first.boundjid.resource) > 7, len(second.boundjid.resource) > 7],
        'differ': first.boundjid.resource != second.boundjid.resource,
    }


async def conflict(server):
    """A second stream with the same resource ends the first."""
    first = await server.online('romeo', 'orchard')
    second = await server.online('romeo', 'orchard')
    errors = await first.end_of_stream()
    await second['xep_0199'].send_ping(server.host)
    return {'first': errors, 'second': second.boundjid.full}


async def unicode_resource(server):
    """Resources take any script, and are prepared by RFC 7622."""
    client = await server.online('romeo', 'Balkon ♥ 日本')
    juliet = await server.online('juliet', 'balcony')
    juliet.send_message(client.boundjid, 'Wherefore?', mtype='chat')
    message = await client.expect_message(lambda found: found['body'] == 'Wherefore?')
    return {'bound': client.boundjid.resource, 'to': message['to'].resource}


async def unicode_account(server):
    """A localpart outside ASCII, written in capitals, is the same account."""
    client = server.client('ZOË', 'nunnery', password='ünïcode')
    ended = await client.attempt()
    return {'ended': ended.reason, 'detail': ended.detail, 'bound': client.boundjid.full}


async def malformed_stream(server):
    """What is not well-formed ends the stream with the error for it; others go on."""
    romeo = await server.online('romeo', 'orchard')
    juliet = await server.online('juliet', 'balcony')
    tybalt = await server.online('romeo', 'street')
    romeo.send_raw('<message><body>&undeclared;</body></message>')
    tybalt.send_raw('<message><body></message>')
    facts = {'entity': await romeo.end_of_stream(), 'tags': await tybalt.end_of_stream()}
    await juliet['xep_0199'].send_ping(server.host)
    return facts


async def large_stanza(server):
    """A stanza near the limit arrives whole; one beyond it ends the stream with policy-violation."""
    romeo = await server.online('romeo', 'orchard')
    juliet = await server.online('juliet', 'balcony')
    body = 'Œ' * 100_000
    romeo.send_message(juliet.boundjid, body, mtype='chat')
    message = await juliet.expect_message(lambda found: found['type'] == 'chat')
    romeo.send_message(juliet.boundjid, 'x' * 1_000_000, mtype='chat')
    return {'isWhole': message['body'] == body, 'errors': await romeo.end_of_stream()}


async def unhandled_iq(server):
    """A request that nobody handles gets service-unavailable (RFC 6120 §8.4)."""
    romeo = await server.online('romeo')
    payload = '<query xmlns="urn:example:unknown"/>'
    return {
        'account': await error_of(romeo.send_raw_iq('get', payload)),
        'server': await error_of(romeo.send_raw_iq('get', payload, server.host)),
        'set': await error_of(romeo.send_raw_iq('set', payload, server.host)),
        'stranger': await error_of(romeo.send_raw_iq('get', payload, server.address('juliet'))),
        'unknownHost': await error_of(romeo.send_raw_iq('get', payload, 'padua.invalid')),
    }
