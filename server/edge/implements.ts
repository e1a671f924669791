/** What the edge implements: streams, transports, and how clients find them; for the list of specifications. */
import type { Implements } from '@rollcall/module-api'

export const edgeImplements: readonly Implements[] = [
  { rfc: 6120, version: '2011', status: 'partial', note: 'streams, STARTTLS and SASL of clients (sections 4 to 6 and 9)' },
  { rfc: 7395, version: '2014', status: 'complete' },
  { rfc: 7590, version: '2015', status: 'complete' },
  { xep: 114, version: '1.6', status: 'complete' },
  { xep: 124, version: '1.11.2', status: 'partial', note: 'one stream in a session' },
  { xep: 156, version: '1.4.0', status: 'complete', note: 'host-meta; DNS records are the operator’s' },
  { xep: 206, version: '1.4', status: 'complete' },
  { xep: 368, version: '1.1.0', status: 'complete', note: 'for clients' },
  { xep: 388, version: '1.0.4', status: 'complete' },
  { xep: 440, version: '1.0.0', status: 'complete' },
  { xep: 474, version: '0.5.0', status: 'complete' },
  { xep: 478, version: '0.2.0', status: 'complete' },
  { xep: 480, version: '0.2.0', status: 'complete', note: 'keys of SCRAM' },
  { xep: 484, version: '0.2.0', status: 'complete', note: 'no early data of TLS' },
  { xep: 509, version: '0.2.0', status: 'complete', note: 'for clients' },
  { xep: 515, version: '0.1.0', status: 'complete' },
]
