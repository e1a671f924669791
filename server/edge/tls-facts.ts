/** What a finished TLS handshake says about its ends: channel bindings and the names in a client's certificate. */
import { createHash } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'

const EXPORTER_LABEL = 'EXPORTER-Channel-Binding'
const EXPORTER_BYTES = 32
const NO_CONTEXT = Buffer.alloc(0)
const BINDINGS_KEPT_MAX = 256

/** What SASL wants to know; asked for once a connection, for OpenSSL may hand its TLS over before the login. */
export interface TlsFacts {
  readonly channelBindings: ReadonlyMap<string, Uint8Array>
  readonly certificateIdentities: readonly string[]
  /** As XEP-0515 writes it. */
  readonly version: string | undefined
}

export function tlsFacts(socket: TLSSocket): TlsFacts {
  return { channelBindings: channelBindings(socket), certificateIdentities: certificateIdentities(socket), version: tlsVersion(socket) }
}

/** tls-server-end-point by certificate: computed once each. */
const endPoints = new Map<string, Uint8Array | undefined>()

/**
 * The channel bindings of a connection, strongest first. tls-exporter (RFC 9266) is offered on TLS 1.3 only: below, it
 * needs the extended master secret, which Node does not report. tls-unique exists up to TLS 1.2 (RFC 5929 §3).
 *
 * COMPAT(slixmpp ≤ 1.8, remove when Debian 12 is gone): such clients bind to tls-unique on TLS 1.3 too. It is answered
 * but not advertised. The Finished message of TLS 1.3 is keyed by the handshake's own secrets and covers its transcript,
 * so it does identify the connection; what RFC 9266 misses is a definition, not the property.
 */
export function channelBindings(socket: TLSSocket): ReadonlyMap<string, Uint8Array> {
  const bindings = new Map<string, Uint8Array>()
  if (socket.getProtocol() === 'TLSv1.3') {
    bindings.set('tls-exporter', socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, NO_CONTEXT))
  }
  // The first Finished of the handshake: the client's in a full one, the server's in an abbreviated one.
  const first = socket.isSessionReused() ? socket.getFinished() : socket.getPeerFinished()
  if (first !== undefined) bindings.set('tls-unique', first)
  const certificate = socket.getX509Certificate()
  const endPoint = certificate === undefined ? undefined : serverEndPoint(certificate)
  if (endPoint !== undefined) bindings.set('tls-server-end-point', endPoint)
  return bindings
}

/** RFC 5929 §4.1: the certificate hashed with the hash of its signature, SHA-256 in place of MD5 and SHA-1. */
export function serverEndPoint(certificate: X509Certificate): Uint8Array | undefined {
  const key = certificate.fingerprint256
  if (endPoints.has(key)) return endPoints.get(key)
  const hash = signatureHash(certificate.signatureAlgorithm)
  const binding = hash === undefined ? undefined : createHash(hash).update(certificate.raw).digest()
  if (endPoints.size >= BINDINGS_KEPT_MAX) endPoints.clear()
  endPoints.set(key, binding)
  return binding
}

/** Undefined for signatures without one hash of their own (Ed25519, RSASSA-PSS with parameters): then there is no binding. */
function signatureHash(algorithm: string | undefined): 'sha256' | 'sha384' | 'sha512' | undefined {
  const name = (algorithm ?? '').toLowerCase().replaceAll('-', '')
  if (name.includes('sha512')) return 'sha512'
  if (name.includes('sha384')) return 'sha384'
  return /sha256|sha1|md5/.test(name) ? 'sha256' : undefined
}

const VERSIONS: Readonly<Record<string, string>> = { 'TLSv1.3': '0304', 'TLSv1.2': '0303', 'TLSv1.1': '0302', 'TLSv1': '0301' }

/** The version as XEP-0515 §4.1 writes it. */
export function tlsVersion(socket: TLSSocket): string | undefined {
  return VERSIONS[socket.getProtocol() ?? '']
}

const XMPP_ADDRESS = /(?:^|, )othername:XmppAddr:([^,"]+)/g

/** The id-on-xmppAddr names (RFC 6120 §13.7.1.4) of a client certificate that was verified; none otherwise. */
export function certificateIdentities(socket: TLSSocket): readonly string[] {
  if (!socket.authorized) return []
  const names = socket.getPeerX509Certificate()?.subjectAltName ?? ''
  return Array.from(names.matchAll(XMPP_ADDRESS), (match) => (match[1] ?? '').trim())
}
