/**
 * Tells which software a host runs.
 *
 * The operating system is what the operator wrote down, nothing by default: XEP-0092 §5 wants it to be a decision.
 */
import { defineModule, option, ServerInfo } from '@rollcall/module-api'
import { NS_VERSION, VersionQuery } from '@rollcall/protocol'

export default defineModule({
  name: 'version',
  summary: 'Tells name and version of the software.',
  implements: [{ xep: 92, version: '1.1', status: 'complete' }],
  features: { host: [NS_VERSION] },
  config: {
    showOs: option.boolean(false, 'Tell the operating system too.'),
    os: option.string('Linux', 'The operating system as it is told, when it is.'),
  },
  needs: { server: ServerInfo },
  setup({ config, ports: { server }, onIqGet }) {
    const answer = { name: server.software, version: server.version, ...(config.showOs && { os: config.os }) }
    onIqGet(VersionQuery, 'host', () => VersionQuery.encode(answer))
  },
})
