/**
 * EXTERNAL with client certificates (RFC 4422 appendix A, RFC 6120 §6.3.4, XEP-0178 §2): the certificate, verified in
 * the TLS handshake, names the accounts its holder may be.
 */
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { exchangeOf } from './exchange.ts'
import { refuseBy, textOf } from './identity.ts'
import { SaslError } from './sasl.ts'
import type { SaslContext, SaslExchange } from './sasl.ts'

/** The accounts of this host that the client's certificate names, each once. */
export function certifiedAccounts(context: SaslContext): Jid[] {
  const accounts: Jid[] = []
  for (const identity of context.certificateIdentities) {
    const jid = tryParseJid(identity)
    if (jid === undefined || !jid.isBare || jid.localpart === '' || jid.domainpart !== context.host) continue
    if (!accounts.some(account => account.equals(jid))) accounts.push(jid)
  }
  return accounts
}

/** One exchange of EXTERNAL: the message is the authzid, empty for "whom the certificate names". */
export function startExternal(context: SaslContext): SaslExchange {
  return exchangeOf(async data => {
    const account = chooseAccount(certifiedAccounts(context), textOf(data))
    const verdict = await context.credentials.report(account, true)
    // A lock stops guessing; a certificate cannot be guessed.
    if (verdict.refusal !== 'locked') refuseBy(verdict)
    return { kind: 'success', account, isAnonymous: false }
  })
}

function chooseAccount(accounts: readonly Jid[], authzid: string): Jid {
  const [first] = accounts
  if (first === undefined) throw new SaslError('not-authorized', 'the certificate names no account of this host')
  if (authzid === '') {
    // XEP-0178 §2: with several addresses in the certificate, the client has to say which.
    if (accounts.length > 1) throw new SaslError('invalid-authzid', 'the certificate names several accounts')
    return first
  }
  const wanted = tryParseJid(authzid)
  const account = wanted && accounts.find(candidate => candidate.equals(wanted))
  if (account === undefined) throw new SaslError('invalid-authzid')
  return account
}
