/** ANONYMOUS (RFC 4505): anybody gets a temporary account; the trace text is checked and then forgotten. */
import { exchangeOf } from './exchange.ts'
import { textOf } from './identity.ts'
import { SaslError } from './sasl.ts'
import type { SaslContext, SaslExchange } from './sasl.ts'

/** RFC 4505 §2: a token of at most 255 characters. */
const TRACE_UNITS_MAX = 255

/** One exchange of ANONYMOUS: the message is trace information, usually empty. */
export function startAnonymous(context: SaslContext): SaslExchange {
  return exchangeOf(async data => {
    if (textOf(data).length > TRACE_UNITS_MAX) throw new SaslError('malformed-request', 'trace information too long')
    const account = await context.credentials.createAnonymous(context.host)
    return { kind: 'success', account, isAnonymous: true }
  })
}
