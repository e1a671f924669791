"""The other side of chats with clients that are no slixmpp: Juliet, who answers."""


async def answers_chat(server):
    """Waits for a contact to come, to write, and to go; answers what is written."""
    juliet = await server.online('juliet', 'balcony')
    came = await juliet.expect_presence(lambda found: found['from'].bare == server.address('romeo') and found['type'] != 'unavailable')
    message = await juliet.expect_message(lambda found: found['body'] != '')
    juliet.send_message(message['from'], 'Ay me, from slixmpp', mtype='chat')
    juliet.send_presence(pshow='away', pstatus='on the balcony')
    gone = await juliet.expect_presence_of(came['from'].full, 'unavailable')
    return {'body': message['body'], 'type': message['type'], 'from': message['from'].bare, 'gone': gone['from'].bare}


async def receives_message(server):
    """Waits for one message."""
    juliet = await server.online('juliet', 'balcony')
    message = await juliet.expect_message(lambda found: found['body'] != '')
    return {'body': message['body'], 'type': message['type'], 'from': message['from'].full}
