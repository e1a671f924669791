/** Whom to write to about a host: the addresses of the configuration, as a form in its disco information. */
import { defineModule, ServerInfo } from '@rollcall/module-api'
import { ContactAddresses } from '@rollcall/protocol'
import { Disco } from '../disco/port.ts'

export default defineModule({
  name: 'contact-addresses',
  summary: 'Tells whom to contact about abuse, security, support and so on.',
  implements: [{ xep: 157, version: '1.1.1', status: 'complete' }],
  needs: { server: ServerInfo, disco: Disco },
  setup({ ports: { server, disco } }) {
    disco.addForm('host', () => {
      const hasAny = Object.values(server.contacts).some((addresses) => addresses.length > 0)
      return hasAny ? ContactAddresses.write(server.contacts) : undefined
    })
  },
})
