import { describe } from 'node:test'
import { casePairs } from './testing/case-pairs.ts'
import {
  ClientAccessAuth, ClientAccessClient, ClientAccessClients, ClientAccessList, ClientAccessPermission, ClientAccessRevoke,
  ClientAccessUserAgent, PasswordResetRequired,
} from './xep0494.ts'

const ns = "xmlns='urn:xmpp:cam:0'"
const auth = { password: false, grant: false, fast: true, others: [] }
const permission = { status: 'unrestricted', details: [] } as const

describe('XEP-0494: client access management', () => {
  casePairs(ClientAccessList, [{ title: 'ask', xml: `<list ${ns}/>`, value: {} }])
  casePairs(ClientAccessAuth, [{ title: 'fast', xml: `<auth ${ns}><fast/></auth>`, value: auth }])
  casePairs(ClientAccessPermission, [{ title: 'all', xml: `<permission ${ns} status='unrestricted'/>`, value: permission }])
  casePairs(ClientAccessUserAgent, [
    {
      title: 'all of it',
      xml: `<user-agent ${ns}><software>Lute</software><uri>https://lute.example/</uri><device>Balcony</device></user-agent>`,
      value: { software: 'Lute', uri: 'https://lute.example/', device: 'Balcony' },
    },
  ])
  const xml = `<client ${ns} id='c1' connected='true' type='session'>
    <first-seen>2026-07-01T00:00:00Z</first-seen><last-seen>2026-07-02T00:00:00Z</last-seen>
    <auth><fast/></auth><permission status='unrestricted'/><user-agent><software>Lute</software></user-agent></client>`
  const value: ClientAccessClient = {
    id: 'c1', connected: true, type: 'session', firstSeen: Date.UTC(2026, 6, 1), lastSeen: Date.UTC(2026, 6, 2),
    auth, permission, userAgent: { software: 'Lute' },
  }
  casePairs(ClientAccessClient, [{ title: 'one', xml, value }])
  casePairs(ClientAccessClients, [{ title: 'one', xml: `<clients ${ns}>${xml}</clients>`, value: { clients: [value] } }])
  casePairs(ClientAccessRevoke, [{ title: 'one', xml: `<revoke ${ns} id='c1'/>`, value: { id: 'c1' } }])
  casePairs(PasswordResetRequired, [{ title: 'condition', xml: `<password-reset-required ${ns}/>`, value: {} }])
})
