/** What the mechanisms have in common about names: text, accounts, authorization identities and the core's verdict. */
import { JidError, jidOf, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { decodeUtf8, isUtf8 } from '@rollcall/xml'
import { SaslError } from './sasl.ts'
import type { SaslContext, SaslRefusal, SaslVerdict } from './sasl.ts'

/**
 * The text of a message; `malformed-request` unless it is UTF-8. A byte order mark is a character like any other here:
 * dropping it would let two byte strings mean one password.
 */
export function textOf(data: Uint8Array): string {
  if (!isUtf8(data)) throw new SaslError('malformed-request', 'not UTF-8')
  return decodeUtf8(data)
}

/**
 * The account of a simple user name, which is a localpart of the stream's host (RFC 6120 §6.3.7). A name that cannot be
 * one is refused as any wrong one is.
 */
export function accountOf(username: string, host: string): Jid {
  if (username === '') throw new SaslError('malformed-request', 'no user name')
  try {
    return jidOf(username, host)
  } catch (error) {
    if (error instanceof JidError) throw new SaslError('not-authorized')
    throw error
  }
}

/** Accepts no authzid, an empty one, or the account's own bare JID (RFC 6120 §6.3.8); else `invalid-authzid`. */
export function checkAuthzid(authzid: string | undefined, account: Jid): void {
  if (authzid === undefined || authzid === '') return
  if (tryParseJid(authzid)?.equals(account) !== true) throw new SaslError('invalid-authzid')
}

/** Refuses attempts on an account that is locked; done before any secret is looked at. */
export async function checkLockout(context: SaslContext, account: Jid): Promise<void> {
  refuseLocked(await context.credentials.lockoutMs(account))
}

/** Throws when an account takes no attempts for `waitMs`; 0 is none. */
export function refuseLocked(waitMs: number): void {
  if (waitMs > 0) throw lockedError(waitMs)
}

/** Tells the core how a secret was checked, and throws unless the client is let in. */
export async function concludeSecret(context: SaslContext, account: Jid, isProven: boolean): Promise<void> {
  const verdict = await context.credentials.report(account, isProven)
  if (!isProven) throw new SaslError('not-authorized')
  refuseBy(verdict)
}

/** Throws when the core's verdict is a refusal. */
export function refuseBy(verdict: SaslVerdict): void {
  if (verdict.refusal === undefined) return
  throw verdict.refusal === 'locked' ? lockedError(verdict.waitMs) : new SaslError(conditionOf[verdict.refusal])
}

const conditionOf = {
  disabled: 'account-disabled',
  expired: 'credentials-expired',
  unknown: 'not-authorized',
} as const satisfies Record<Exclude<SaslRefusal, 'locked'>, string>

function lockedError(waitMs: number): SaslError {
  return new SaslError('temporary-auth-failure', `too many attempts, try again in ${Math.ceil(waitMs / 1000)} s`)
}
