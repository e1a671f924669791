/** Clients that say whether somebody looks at them (XEP-0352), and what that spares them. */
import { clientNonza, defineModule, option, sessionResumed } from '@rollcall/module-api'
import type { Session } from '@rollcall/module-api'
import { Metrics } from '@rollcall/ports'
import { CsiActive, CsiFeature, CsiInactive, NS_CSI } from '@rollcall/protocol'
import { InactiveClient } from './inactive-client.ts'

export default defineModule({
  name: 'csi',
  summary: 'Spares clients that nobody looks at what can wait.',
  implements: [{ xep: 352, version: '1.0.0', status: 'complete' }],
  config: {
    stanzasMax: option.integer(2_000, 1, 1_000_000, 'Stanzas kept for one inactive client; beyond it they are sent.'),
    bytesMax: option.integer(1_048_576, 1_024, 1_073_741_824, 'Bytes of them.'),
  },
  needs: { metrics: Metrics },
  setup({ config, ports: { metrics }, on, onBindInline, streamFeature }) {
    const counter = (outcome: string) => {
      const metric = metrics.counter('rollcall_csi_stanzas_total', 'Stanzas for inactive clients that did not go at once, by outcome.', { outcome })
      return () => metric.add(1)
    }
    const counters = { kept: counter('kept'), superseded: counter('superseded'), dropped: counter('dropped') }
    const deactivate = (session: Session) => {
      session.sieve ??= new InactiveClient(session, config, counters)
    }
    const activate = (session: Session) => {
      const { sieve } = session
      if (!(sieve instanceof InactiveClient)) return
      session.sieve = undefined
      sieve.flush()
    }
    streamFeature('after-auth', () => CsiFeature.toWire({}))
    on(clientNonza, 'normal', ({ session, element }) => {
      if (element.ns !== NS_CSI) return false
      if (element.name === CsiActive.name) activate(session)
      else if (element.name === CsiInactive.name) deactivate(session)
      else return false
      return true
    })
    onBindInline(CsiInactive, deactivate)
    onBindInline(CsiActive, () => {})
    // §5.2: a stream that was resumed begins active.
    on(sessionResumed, 'normal', ({ session }) => activate(session))
  },
})
