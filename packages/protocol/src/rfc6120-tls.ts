/** RFC 6120 §5: the elements of STARTTLS. */
import { flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'

/** The stream feature (RFC 6120 §5.4.1) and, without `required`, the command to start (§5.4.2.1). */
export const StartTls = element(NS_TLS, 'starttls', { required: flag('required') })
export type StartTls = Infer<typeof StartTls>

/** The receiver is ready: the next byte is TLS (RFC 6120 §5.4.2.3). */
export const TlsProceed = element(NS_TLS, 'proceed', {})
export type TlsProceed = Infer<typeof TlsProceed>

/** The receiver refuses and closes the stream (RFC 6120 §5.4.2.2). */
export const TlsFailure = element(NS_TLS, 'failure', {})
export type TlsFailure = Infer<typeof TlsFailure>
