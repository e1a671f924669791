import { describe } from 'node:test'
import { parseJid } from '@rollcall/jid'
import { XmlElement } from '@rollcall/xml'
import {
  EventConfiguration, EventDelete, EventItem, EventItems, EventPurge, EventRedirect, EventRetract, EventSubscription, PubsubEvent,
} from './xep0060-event.ts'
import {
  NodeAffiliation, NodeAffiliations, NodeConfigure, NodeDefault, NodeDelete, NodePurge, NodeRedirect, NodeSubscription, NodeSubscriptions,
  PubsubOwner,
} from './xep0060-owner.ts'
import {
  Pubsub, PubsubAffiliation, PubsubAffiliations, PubsubConfigure, PubsubCreate, PubsubDefault, PubsubItem, PubsubItems, PubsubOptions,
  PubsubPublish, PubsubPublishOptions, PubsubRetract, PubsubSubscribe, PubsubSubscription, PubsubSubscriptions, PubsubUnsubscribe,
  PubsubUnsupported,
} from './xep0060.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'http://jabber.org/protocol/pubsub'
const owner = `${ns}#owner`
const event = `${ns}#event`
const node = 'urn:example:mood'
const nurse = parseJid('nurse@capulet.example')
const FORM = "<x xmlns='jabber:x:data' type='cancel'/>"
const form = { type: 'cancel' as const, instructions: [], fields: [], items: [] }
const mood = () => new XmlElement('mood', 'urn:example:mood', {}, ['happy'])
const MOOD = "<mood xmlns='urn:example:mood'>happy</mood>"

describe('XEP-0060: what everybody may ask', () => {
  casePairs(PubsubUnsupported, [
    { title: 'a feature', xml: `<unsupported xmlns='${ns}#errors' feature='subscription-options'/>`, value: { feature: 'subscription-options' } },
  ])
  casePairs(PubsubItem, [
    { title: 'with payload', xml: `<item xmlns='${ns}' id='current'>${MOOD}</item>`, value: { id: 'current', payload: [mood()] } },
    {
      title: 'mentioned', xml: `<item xmlns='${ns}' id='1' publisher='nurse@capulet.example'/>`,
      value: { id: '1', publisher: 'nurse@capulet.example', payload: [] },
    },
  ])
  casePairs(PubsubPublish, [
    { title: 'an item', xml: `<publish xmlns='${ns}' node='${node}'><item>${MOOD}</item></publish>`, value: { node, items: [{ payload: [mood()] }] } },
  ])
  casePairs(PubsubPublishOptions, [{ title: 'a form', xml: `<publish-options xmlns='${ns}'>${FORM}</publish-options>`, value: { form } }])
  casePairs(PubsubRetract, [
    {
      title: 'and notify', xml: `<retract xmlns='${ns}' node='${node}' notify='true'><item id='1'/></retract>`,
      value: { node, notify: true, items: [{ id: '1', payload: [] }] },
    },
  ])
  casePairs(PubsubItems, [
    { title: 'the newest', xml: `<items xmlns='${ns}' node='${node}' max_items='2'/>`, value: { node, max: 2, items: [] } },
    { title: 'with a subscription', xml: `<items xmlns='${ns}' node='${node}' subid='s'/>`, value: { node, subid: 's', items: [] } },
  ])
  casePairs(PubsubSubscribe, [{
    title: 'an address', xml: `<subscribe xmlns='${ns}' node='${node}' jid='nurse@capulet.example'/>`,
    value: { node, jid: 'nurse@capulet.example' },
  }])
  casePairs(PubsubUnsubscribe, [{
    title: 'an address', xml: `<unsubscribe xmlns='${ns}' node='${node}' jid='nurse@capulet.example' subid='s'/>`,
    value: { node, jid: 'nurse@capulet.example', subid: 's' },
  }])
  casePairs(PubsubOptions, [{
    title: 'submitted', xml: `<options xmlns='${ns}' node='${node}' jid='nurse@capulet.example'>${FORM}</options>`,
    value: { node, jid: 'nurse@capulet.example', form },
  }])
  casePairs(PubsubSubscription, [
    {
      title: 'done', xml: `<subscription xmlns='${ns}' node='${node}' jid='nurse@capulet.example' subscription='subscribed'/>`,
      value: { node, jid: nurse, state: 'subscribed' },
    },
  ])
  casePairs(PubsubSubscriptions, [
    {
      title: 'a list', xml: `<subscriptions xmlns='${ns}'><subscription node='${node}' jid='nurse@capulet.example' subscription='none'/></subscriptions>`,
      value: { list: [{ node, jid: nurse, state: 'none' }] },
    },
  ])
  casePairs(PubsubAffiliation, [{
    title: 'owner', xml: `<affiliation xmlns='${ns}' node='${node}' affiliation='owner'/>`,
    value: { node, affiliation: 'owner' },
  }])
  casePairs(PubsubAffiliations, [
    {
      title: 'a list', xml: `<affiliations xmlns='${ns}'><affiliation node='${node}' affiliation='publish-only'/></affiliations>`,
      value: { list: [{ node, affiliation: 'publish-only' }] },
    },
    { title: 'of a node', xml: `<affiliations xmlns='${ns}' node='${node}'/>`, value: { node, list: [] } },
  ])
  casePairs(PubsubCreate, [{
    title: 'instant', xml: `<create xmlns='${ns}'/>`,
    value: {} }, { title: 'named', xml: `<create xmlns='${ns}' node='${node}'/>`, value: { node },
  }])
  casePairs(PubsubConfigure, [{ title: 'a form', xml: `<configure xmlns='${ns}'>${FORM}</configure>`, value: { form } }])
  casePairs(PubsubDefault, [{ title: 'request', xml: `<default xmlns='${ns}'/>`, value: {} }])
  casePairs(Pubsub, [
    { title: 'an instant node', xml: `<pubsub xmlns='${ns}'><create/><configure/></pubsub>`, value: { create: {}, configure: {} } },
    {
      title: 'a page', xml: `<pubsub xmlns='${ns}'><items node='${node}'/><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></pubsub>`,
      value: { items: { node, items: [] }, page: { max: 1 } },
    },
  ])
})

describe('XEP-0060 §8: what owners may ask', () => {
  casePairs(NodeConfigure, [{ title: 'a form', xml: `<configure xmlns='${owner}' node='${node}'>${FORM}</configure>`, value: { node, form } }])
  casePairs(NodeDefault, [{ title: 'request', xml: `<default xmlns='${owner}'/>`, value: {} }])
  casePairs(NodeRedirect, [{
    title: 'an address', xml: `<redirect xmlns='${owner}' uri='xmpp:juliet@capulet.example?;node=x'/>`,
    value: { uri: 'xmpp:juliet@capulet.example?;node=x' },
  }])
  casePairs(NodeDelete, [{
    title: 'with a follower', xml: `<delete xmlns='${owner}' node='${node}'><redirect uri='xmpp:a'/></delete>`,
    value: { node, redirect: { uri: 'xmpp:a' } },
  }])
  casePairs(NodePurge, [{ title: 'a node', xml: `<purge xmlns='${owner}' node='${node}'/>`, value: { node } }])
  casePairs(NodeSubscription, [{
    title: 'an end', xml: `<subscription xmlns='${owner}' jid='nurse@capulet.example' subscription='none' subid='s'/>`,
    value: { jid: nurse, state: 'none', subid: 's' },
  }])
  casePairs(NodeSubscriptions, [{ title: 'a request', xml: `<subscriptions xmlns='${owner}' node='${node}'/>`, value: { node, list: [] } }])
  casePairs(NodeAffiliation, [{
    title: 'a member', xml: `<affiliation xmlns='${owner}' jid='nurse@capulet.example' affiliation='member'/>`,
    value: { jid: nurse, affiliation: 'member' },
  }])
  casePairs(NodeAffiliations, [
    {
      title: 'a change', xml: `<affiliations xmlns='${owner}' node='${node}'><affiliation jid='nurse@capulet.example' affiliation='outcast'/></affiliations>`,
      value: { node, list: [{ jid: nurse, affiliation: 'outcast' }] },
    },
  ])
  casePairs(PubsubOwner, [
    { title: 'a purge', xml: `<pubsub xmlns='${owner}'><purge node='${node}'/></pubsub>`, value: { purge: { node } } },
    { title: 'the default', xml: `<pubsub xmlns='${owner}'><default/></pubsub>`, value: { default: {} } },
  ])
})

describe('XEP-0060: what subscribers are told', () => {
  casePairs(EventItem, [{
    title: 'with payload', xml: `<item xmlns='${event}' id='1' publisher='nurse@capulet.example'>${MOOD}</item>`,
    value: { id: '1', publisher: 'nurse@capulet.example', payload: [mood()] },
  }])
  casePairs(EventRetract, [{ title: 'an item', xml: `<retract xmlns='${event}' id='1'/>`, value: { id: '1' } }])
  casePairs(EventItems, [
    {
      title: 'published', xml: `<items xmlns='${event}' node='${node}'><item id='1'/></items>`,
      value: { node, items: [{ id: '1', payload: [] }], retracts: [] },
    },
    { title: 'deleted', xml: `<items xmlns='${event}' node='${node}'><retract id='1'/></items>`, value: { node, items: [], retracts: [{ id: '1' }] } },
  ])
  casePairs(EventPurge, [{ title: 'a node', xml: `<purge xmlns='${event}' node='${node}'/>`, value: { node } }])
  casePairs(EventRedirect, [{ title: 'an address', xml: `<redirect xmlns='${event}' uri='xmpp:a'/>`, value: { uri: 'xmpp:a' } }])
  casePairs(EventDelete, [{
    title: 'a node', xml: `<delete xmlns='${event}' node='${node}'><redirect uri='xmpp:a'/></delete>`,
    value: { node, redirect: { uri: 'xmpp:a' } },
  }])
  casePairs(EventConfiguration, [{ title: 'a form', xml: `<configuration xmlns='${event}' node='${node}'>${FORM}</configuration>`, value: { node, form } }])
  casePairs(EventSubscription, [{
    title: 'an end', xml: `<subscription xmlns='${event}' node='${node}' jid='nurse@capulet.example' subscription='none'/>`,
    value: { node, jid: nurse, state: 'none' },
  }])
  casePairs(PubsubEvent, [{ title: 'a purge', xml: `<event xmlns='${event}'><purge node='${node}'/></event>`, value: { purge: { node } } }])
})
