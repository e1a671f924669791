/**
 * How the web chat registers a browser: our own protocol, since no XEP says how a browser reaches the app server of its
 * page. What follows is XEP-0357, with the address, node and secret that are given out here.
 */
import { attr, element, text } from '@rollcall/protocol'

export const NS_WEB_PUSH = 'urn:rollcall:web-push:0'

/** Asks for the key that the browser needs to subscribe (`applicationServerKey` of the Push API), and answers with it. */
export const WebPushKey = element(NS_WEB_PUSH, 'key', { value: text().optional() })

/** Registers a subscription of a browser; doing so again with the same endpoint gives the same node. */
export const WebPushSubscribe = element(NS_WEB_PUSH, 'subscribe', {
  endpoint: attr.string('endpoint'),
  p256dh: attr.string('p256dh'),
  auth: attr.string('auth'),
})

/** What is to be enabled: the service, its node, and the publish option `secret`. */
export const WebPushSubscribed = element(NS_WEB_PUSH, 'subscribed', {
  jid: attr.jid('jid'),
  node: attr.string('node'),
  secret: attr.string('secret'),
})

/** Ends a subscription; one that is not there is ended already. */
export const WebPushUnsubscribe = element(NS_WEB_PUSH, 'unsubscribe', { node: attr.string('node') })
