/**
 * Entity capabilities, old and new: the hosts' own in stream features, and what clients support, learnt when a module
 * needs to know it (to filter notifications) and not before.
 */
import { defineModule, IqClient, option, sessionUnbound } from '@rollcall/module-api'
import { Clock, Hasher, Log, Metrics } from '@rollcall/ports'
import { NS_CAPS, NS_CAPS_2 } from '@rollcall/protocol'
import { Disco } from '../disco/port.ts'
import { FeatureCache } from './feature-cache.ts'
import { FeatureFinder } from './feature-finder.ts'
import { HostCaps } from './host-caps.ts'
import { Caps } from './port.ts'

export default defineModule({
  name: 'caps',
  summary: 'Says in a hash what a host supports, and finds out what clients support.',
  implements: [
    { xep: 115, version: '1.6.0', status: 'complete' },
    { xep: 390, version: '0.3.2', status: 'complete', note: 'without the optional query interception, optimisation and gratuitous capabilities' },
  ],
  features: { host: [NS_CAPS, NS_CAPS_2] },
  config: {
    softwareUri: option.string('urn:rollcall', 'The URI that stands for this software in capabilities.'),
    hashesMax: option.integer(10_000, 1, 1_000_000, 'Verified hashes whose features are remembered.'),
    clientsMax: option.integer(10_000, 1, 1_000_000, 'Clients without a verified hash whose features are remembered.'),
    queryTimeoutMs: option.integer(30_000, 1_000, 600_000, 'How long a client may take to tell its features, in ms.'),
    queriesMax: option.integer(1_000, 1, 100_000, 'Clients that are being asked at a time.'),
    featuresMax: option.integer(500, 10, 10_000, 'Features of one client that are looked at.'),
  },
  needs: { clock: Clock, hasher: Hasher, iq: IqClient, log: Log, metrics: Metrics, disco: Disco },
  provides: [Caps],
  setup({ config, ports, provide, on, streamFeature }) {
    const host = new HostCaps(ports, config.softwareUri)
    streamFeature('after-auth', (name) => host.streamFeature(name))
    ports.disco.addNode('host', (node, query) => host.findNode(node, query.to))

    const cache = new FeatureCache(config.hashesMax, config.clientsMax)
    ports.metrics.observedGauge('rollcall_caps_hashes', 'Verified capability hashes remembered.', () => cache.hashCount)
    provide(Caps, new FeatureFinder(cache, ports, config))
    on(sessionUnbound, 'normal', ({ session }) => cache.forget(session.jid.toString()))
  },
})
