import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { XmlElement } from '@rollcall/xml'
import { casePairs } from './testing/case-pairs.ts'
import { PushDisable, PushEnable, PushNotification, PushSummary } from './xep0357.ts'

const ns = 'urn:xmpp:push:0'
const service = parseJid('push.verona.example')
const field = (name: string, value: string) => ({ var: name, isRequired: false, values: [value], options: [] })
const head = { instructions: [], items: [] }

describe('XEP-0357: push notifications', () => {
  casePairs(PushEnable, [
    { title: 'a node', xml: `<enable xmlns='${ns}' jid='push.verona.example' node='n1'/>`, value: { jid: service, node: 'n1' } },
    { title: 'the whole service', xml: `<enable xmlns='${ns}' jid='push.verona.example'/>`, value: { jid: service } },
    {
      title: 'with options',
      xml: `<enable xmlns='${ns}' jid='push.verona.example' node='n1'><x xmlns='jabber:x:data' type='submit'>
          <field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>
          <field var='secret'><value>lark</value></field>
        </x></enable>`,
      value: {
        jid: service, node: 'n1',
        options: { type: 'submit', ...head, fields: [field('FORM_TYPE', 'http://jabber.org/protocol/pubsub#publish-options'), field('secret', 'lark')] },
      },
    },
  ])
  casePairs(PushDisable, [
    { title: 'a node', xml: `<disable xmlns='${ns}' jid='push.verona.example' node='n1'/>`, value: { jid: service, node: 'n1' } },
    { title: 'every node', xml: `<disable xmlns='${ns}' jid='push.verona.example'/>`, value: { jid: service } },
  ])
  casePairs(PushSummary, [
    {
      title: 'everything',
      xml: `<x xmlns='jabber:x:data' type='submit'>
          <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>
          <field var='message-count'><value>2</value></field>
          <field var='pending-subscription-count'><value>1</value></field>
          <field var='last-message-sender'><value>romeo@montague.example/orchard</value></field>
          <field var='last-message-body'><value>But soft</value></field>
        </x>`,
      value: {
        messageCount: 2, pendingSubscriptionCount: 1,
        lastMessageSender: parseJid('romeo@montague.example/orchard'), lastMessageBody: 'But soft',
      },
    },
    {
      title: 'nothing but a count',
      xml: `<x xmlns='jabber:x:data' type='submit'>
          <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field><field var='message-count'><value>1</value></field>
        </x>`,
      value: { messageCount: 1 },
    },
  ])
  casePairs(PushNotification, [
    { title: 'without a word', xml: `<notification xmlns='${ns}'/>`, value: { others: [] } },
    {
      title: 'with a summary and more',
      xml: `<notification xmlns='${ns}'>
          <x xmlns='jabber:x:data' type='submit'><field var='message-count'><value>1</value></field></x><more xmlns='urn:example:more'/>
        </notification>`,
      value: {
        summary: { type: 'submit', ...head, fields: [field('message-count', '1')] },
        others: [new XmlElement('more', 'urn:example:more')],
      },
    },
  ])
})
