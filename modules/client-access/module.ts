/**
 * Client access management (XEP-0494): which clients have access to an account, and sending them away.
 *
 * Two sources: clients that name themselves when they log in, which the core remembers with their tokens, and sessions of
 * clients that do not, which are known while they last. Who logged in with what still is the password can come back
 * whatever is revoked, and the owner is told so.
 */
import { defineModule, LoginClients } from '@rollcall/module-api'
import type { Account, LoginClient, Session } from '@rollcall/module-api'
import { ClientAccessClients, ClientAccessList, ClientAccessRevoke, NS_CLIENT_ACCESS, PasswordResetRequired } from '@rollcall/protocol'
import type { ClientAccessClientInput } from '@rollcall/protocol'
import { Hasher } from '@rollcall/ports'
import { StanzaError } from '@rollcall/stanza'

/** No id of a client has a dot. */
const SESSION_PREFIX = 'session.'
const SESSION_ID_BYTES = 12

export default defineModule({
  name: 'client-access',
  summary: 'Lets people see which clients have access to their account, and end it.',
  implements: [{ xep: 494, version: '0.1.0', status: 'complete', note: 'no grants, which nothing here gives' }],
  features: { account: [NS_CLIENT_ACCESS] },
  needs: { clients: LoginClients, hasher: Hasher },
  setup({ ports: { clients, hasher }, onIqGet, onIqSet }) {
    const idOf = ({ jid }: Session): string => {
      const digest = hasher.hash('sha-256', new TextEncoder().encode(jid.resourcepart))
      return SESSION_PREFIX + Array.from(digest.slice(0, SESSION_ID_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('')
    }

    onIqGet(ClientAccessList, 'self', async ({ account }) => {
      const known = await clients.list(account.jid)
      const ids = new Set(known.map(({ id }) => id))
      const others = [...account.sessions.values()].filter(({ origin }) => !ids.has(origin.clientId ?? ''))
      return ClientAccessClients.encode({
        clients: [...known.map((client) => knownEntry(client, account)), ...others.map((session) => sessionEntry(session, idOf(session)))],
      })
    })

    onIqSet(ClientAccessRevoke, 'self', async ({ account, payload: { id } }) => {
      const sessions = [...account.sessions.values()]
      if (id.startsWith(SESSION_PREFIX)) {
        const session = sessions.find((candidate) => idOf(candidate) === id)
        if (session === undefined) throw new StanzaError('item-not-found')
        end(session)
        if (mayReturn(session)) throw passwordResetRequired()
        return
      }
      // Tokens first: a client whose session ends comes back at once.
      const result = await clients.revoke(account.jid, id)
      const own = [...account.sessions.values()].filter(({ origin }) => origin.clientId === id)
      for (const session of own) end(session)
      if (result === 'unknown' && own.length === 0) throw new StanzaError('item-not-found')
      if (result === 'knows-password') throw passwordResetRequired()
    })
  },
})

function knownEntry(client: LoginClient, account: Account): ClientAccessClientInput {
  const { id, firstSeenAt, lastSeenAt, software, device, knowsPassword, hasToken } = client
  return {
    id,
    connected: [...account.sessions.values()].some(({ origin }) => origin.clientId === id),
    // Whoever is known has logged in.
    type: 'session',
    firstSeen: firstSeenAt,
    lastSeen: lastSeenAt,
    auth: { password: knowsPassword, fast: hasToken },
    permission: { status: 'unrestricted' },
    ...((software ?? device) !== undefined && {
      userAgent: { ...(software !== undefined && { software }), ...(device !== undefined && { device }) },
    }),
  }
}

function sessionEntry(session: Session, id: string): ClientAccessClientInput {
  return {
    id, connected: true, type: 'session', firstSeen: session.boundAt, lastSeen: session.boundAt,
    auth: { password: mayReturn(session) }, permission: { status: 'unrestricted' },
  }
}

/** A login with SASL of RFC 6120 does not say what it was; nearly all are with a password. */
const mayReturn = ({ origin }: Session): boolean => origin.method === undefined || origin.method === 'password'

const end = (session: Session): void => session.close('not-authorized', 'The access of this client was revoked')

/** XEP-0494 §3.2 */
function passwordResetRequired(): StanzaError {
  return new StanzaError('service-unavailable', 'The client knows the password: only another one ends its access', {
    application: PasswordResetRequired.encode({}),
  })
}
