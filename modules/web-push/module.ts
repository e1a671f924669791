/**
 * Web Push for the web chat (RFC 8030, 8291, 8292): each host is the push service (XEP-0357) of the browsers that its own
 * page registers, so that a closed tab is told like a phone is.
 *
 * Without the sender's port the module is silent: nothing is registered and nothing is announced.
 */
import { defineModule, keyvalStore, mapStore, option, ServerInfo } from '@rollcall/module-api'
import { Clock, Log, Metrics, Random, WebPushSender } from '@rollcall/ports'
import { Pubsub } from '@rollcall/protocol'
import { Disco } from '../disco/port.ts'
import { WebPushKey, WebPushSubscribe, WebPushSubscribed, WebPushUnsubscribe } from './elements.ts'
import { Subscriptions } from './subscriptions.ts'
import type { SubscriptionRow } from './subscriptions.ts'
import { WebPushService } from './web-push-service.ts'
import type { StoredKeys } from './web-push-service.ts'

export default defineModule({
  name: 'web-push',
  summary: 'Tells browsers that registered with the web chat, while its page is closed.',
  implements: [
    { rfc: 8030, version: '2016-12', status: 'partial', note: 'as application server: sends, without receipts' },
    { rfc: 8291, version: '2017-11', status: 'complete' },
    { rfc: 8292, version: '2017-11', status: 'complete' },
  ],
  config: {
    subject: option.string('', 'Whom push services may write to, as mailto: or https: address; empty for the admin contact of the server.'),
    subscriptionsMax: option.integer(10, 1, 100, 'Browsers of one account; the oldest make room for new ones.'),
    ttlSeconds: option.integer(86_400, 0, 2_419_200, 'How long push services keep a notification for a browser that is off, in seconds.'),
    timeoutSeconds: option.integer(15, 1, 25, 'How long a push service has to answer, in seconds; less than that of the push module.'),
    services: option.strings([], 'Hosts of push services that may be contacted, with everything below them; empty for any on the public Internet.'),
    mayReachPrivateNetworks: option.boolean(false, 'Push services in private networks may be contacted, on loopback also without TLS: for trying out.'),
  },
  stores: { keys: keyvalStore<StoredKeys>('web_push_keys'), subscriptions: mapStore<SubscriptionRow>('web_push_subscriptions') },
  needs: { clock: Clock, disco: Disco, log: Log, metrics: Metrics, random: Random, server: ServerInfo },
  wants: { sender: WebPushSender },
  setup({ config, stores, ports, onIqGet, onIqSet }) {
    const { clock, disco, random, sender } = ports
    if (sender === undefined) return
    const subscriptions = new Subscriptions({ clock, random, store: stores.subscriptions, subscriptionsMax: config.subscriptionsMax })
    const { mayReachPrivateNetworks: mayReachPrivate, services, subject, timeoutSeconds, ttlSeconds } = config
    const service = new WebPushService({
      ...ports, sender, subscriptions, keys: stores.keys,
      options: { mayReachPrivate, services, subject, ttlSeconds, timeoutMs: timeoutSeconds * 1000 },
    })
    // XEP-0357 §4.2
    disco.addIdentity('host', { category: 'pubsub', type: 'push' })
    onIqGet(WebPushKey, 'self', async ({ account }) => WebPushKey.encode({ value: (await service.keysOf(account.jid.domainpart)).publicKey }))
    onIqSet(WebPushSubscribe, 'self', async ({ account, payload }) =>
      WebPushSubscribed.encode({ jid: account.jid.domain, ...await service.subscribe(account.jid, payload) }))
    onIqSet(WebPushUnsubscribe, 'self', ({ account, payload }) => subscriptions.remove(account.jid, payload.node))
    onIqSet(Pubsub, 'host', (request) => service.publish(request))
  },
})
