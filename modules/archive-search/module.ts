/**
 * Search in message archives (XEP-0431): this says that it is offered, the archive does it.
 *
 * A module of its own, and off unless told, because the index of words costs more than everything else about an archived
 * message. What was archived while it was off is not found.
 */
import { defineModule } from '@rollcall/module-api'
import { NS_FULL_TEXT } from '@rollcall/protocol'
import { ArchiveSearch } from './port.ts'

export default defineModule({
  name: 'archive-search',
  summary: 'Lets people search the texts of their message archive.',
  isOffByDefault: true,
  implements: [{ xep: 431, version: '0.2.0', status: 'complete' }],
  features: { account: [NS_FULL_TEXT] },
  provides: [ArchiveSearch],
  setup({ provide }) {
    provide(ArchiveSearch, { isOn: true })
  },
})
