/** Tells the time of a host. It lives in UTC: a server's local time means nothing to its users. */
import { defineModule } from '@rollcall/module-api'
import { Clock } from '@rollcall/ports'
import { EntityTime, NS_TIME } from '@rollcall/protocol'

export default defineModule({
  name: 'entity-time',
  summary: 'Tells the time of the server.',
  implements: [{ xep: 202, version: '2.0', status: 'complete' }],
  features: { host: [NS_TIME] },
  needs: { clock: Clock },
  setup({ ports: { clock }, onIqGet }) {
    onIqGet(EntityTime, 'host', () => EntityTime.encode({ tzo: 0, utc: clock.now() }))
  },
})
