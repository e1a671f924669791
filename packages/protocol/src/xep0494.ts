/** XEP-0494: Client Access Management, version 0.1.0. */
import { attr } from './attr.ts'
import { child, children, childText, extensions, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'

export const NS_CLIENT_ACCESS = 'urn:xmpp:cam:0'

/** Asks which clients have access to the account (XEP-0494 §3.1). */
export const ClientAccessList = element(NS_CLIENT_ACCESS, 'list', {})
export type ClientAccessList = Infer<typeof ClientAccessList>

/** How a client has got in. */
export const ClientAccessAuth = element(NS_CLIENT_ACCESS, 'auth', {
  password: flag('password'),
  grant: flag('grant'),
  fast: flag('fast'),
  others: extensions(),
})
export type ClientAccessAuth = Infer<typeof ClientAccessAuth>

/** What a client may do. */
export const ClientAccessPermission = element(NS_CLIENT_ACCESS, 'permission', {
  status: attr.enum('status', ['unrestricted', 'normal', 'restricted']),
  details: extensions(),
})
export type ClientAccessPermission = Infer<typeof ClientAccessPermission>

/** What a client says that it is. */
export const ClientAccessUserAgent = element(NS_CLIENT_ACCESS, 'user-agent', {
  software: childText('software').optional(),
  uri: childText('uri').optional(),
  device: childText('device').optional(),
})
export type ClientAccessUserAgent = Infer<typeof ClientAccessUserAgent>

/** One client with access (XEP-0494 §3.1). Times are in ms since the Unix epoch. */
export const ClientAccessClient = element(NS_CLIENT_ACCESS, 'client', {
  id: attr.string('id'),
  /** A session that can be resumed counts as connected. */
  connected: attr.bool('connected'),
  /** `access`: never had a session. */
  type: attr.enum('type', ['session', 'access']),
  firstSeen: childText.dateTime('first-seen').optional(),
  lastSeen: childText.dateTime('last-seen').optional(),
  auth: child(ClientAccessAuth),
  permission: child(ClientAccessPermission),
  userAgent: child(ClientAccessUserAgent).optional(),
})
export type ClientAccessClient = Infer<typeof ClientAccessClient>
export type ClientAccessClientInput = Input<typeof ClientAccessClient>

/** All of them. */
export const ClientAccessClients = element(NS_CLIENT_ACCESS, 'clients', { clients: children(ClientAccessClient) })
export type ClientAccessClients = Infer<typeof ClientAccessClients>

/** Ends a client's access (XEP-0494 §3.2). */
export const ClientAccessRevoke = element(NS_CLIENT_ACCESS, 'revoke', { id: attr.string('id') })
export type ClientAccessRevoke = Infer<typeof ClientAccessRevoke>

/** Beside `service-unavailable`: the client knows the password, so only another password ends its access (§3.2). */
export const PasswordResetRequired = element(NS_CLIENT_ACCESS, 'password-reset-required', {})
export type PasswordResetRequired = Infer<typeof PasswordResetRequired>
