/** What the core implements by itself, without any module; for the list of specifications. */
import type { Implements } from '@rollcall/module-api'

export const coreImplements: readonly Implements[] = [
  { rfc: 6120, version: '2011', status: 'partial', note: 'resource binding, routing and stanza errors (sections 7, 8 and 10)' },
  { rfc: 6121, version: '2011', status: 'partial', note: 'section 8; rosters and presence are elsewhere' },
  { rfc: 7622, version: '2015', status: 'complete' },
  { xep: 198, version: '1.6.3', status: 'complete', note: 'between clients and the server' },
  { xep: 386, version: '1.1.0', status: 'complete', note: 'waiting messages are left to the archive, whose reach is told; those it lacks are delivered' },
]
