/** PLAIN (RFC 4616): the password itself, so only where the connection hides it; `mechanisms.ts` sees to that. */
import { accountOf, checkAuthzid, checkLockout, concludeSecret, textOf } from './identity.ts'
import { exchangeOf } from './exchange.ts'
import { SaslError } from './sasl.ts'
import type { SaslContext, SaslExchange } from './sasl.ts'

/** One exchange of PLAIN: `[authzid] NUL authcid NUL passwd`. */
export function startPlain(context: SaslContext): SaslExchange {
  return exchangeOf(async data => {
    const parts = textOf(data).split('\0')
    const [authzid, authcid, password] = parts
    if (parts.length !== 3 || !authcid || !password) throw new SaslError('malformed-request')
    const account = accountOf(authcid, context.host)
    checkAuthzid(authzid, account)
    await checkLockout(context, account)
    const isValid = await context.credentials.verifyPassword(account, password)
    await concludeSecret(context, account, isValid)
    return { kind: 'success', account, isAnonymous: false }
  })
}
