/**
 * What an edge can be told, with every limit named, its unit last, and a default that suits a public server.
 *
 * Plain data: the config file's schema is made from it elsewhere. All limits can change on `reload()`; listeners cannot.
 */
import type { SaslPolicy } from '@rollcall/stream'
import type { AdmissionConfig } from './admission.ts'

/** What a listener speaks. */
export type ListenerKind =
  /** TCP with STARTTLS (RFC 6120 §5). */
  | 'client'
  /** TCP with TLS from the first byte (XEP-0368). */
  | 'client-tls'
  /** Components (XEP-0114), in clear: bind it to a trusted network. */
  | 'component'
  /** WebSocket, BOSH, host-meta and the caller's routes over HTTP. */
  | 'http'
  /** The same over HTTPS. */
  | 'https'

export interface ListenerConfig {
  readonly kind: ListenerKind
  /** Address to bind; '::' is IPv4 and IPv6. */
  readonly address: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Several members behind one port (SO_REUSEPORT). */
  readonly isShared?: boolean
}

export interface CertificateConfig {
  /** PEM file: the host's certificate, then intermediates. */
  readonly certificateFile: string
  /** PEM file. */
  readonly keyFile: string
  readonly passphrase?: string
}

export interface TlsConfig {
  /** By host; a host without an entry gets a self-signed certificate. */
  readonly certificates: Readonly<Record<string, CertificateConfig>>
  /** Where self-signed certificates are kept between starts; '' keeps them in memory only. */
  readonly selfSignedDirectory: string
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL cipher list; decides for TLS 1.2 and 1.3 alike. */
  readonly ciphers: string
  /** PEM file of authorities whose client certificates may log in (SASL EXTERNAL); '' asks for none. */
  readonly clientAuthorityFile: string
  /** How often certificate files are looked at for changes. */
  readonly pollMs: number
  /** Connections of TLS 1.3 leave OpenSSL after the handshake, for a record layer that takes less memory. */
  readonly isCompact: boolean
}

export interface ComponentConfig {
  readonly domain: string
  /** Shared secret of the handshake (XEP-0114 §3). */
  readonly secret: string
}

/** Bounds of one stream before and after authentication, of all of them, and of one address. */
export interface EdgeLimits {
  /** Connections of all kinds. */
  readonly connectionsMax: number
  /** Connections of one address (IPv6: one /64 network). */
  readonly connectionsPerAddressMax: number
  /** New connections of one address per minute. */
  readonly connectsPerMinuteMax: number
  /** Addresses remembered for limits; the oldest without connections is forgotten first. */
  readonly addressesMax: number
  /** Bytes of one first-level element before authentication. */
  readonly preAuthElementBytesMax: number
  /** Bytes received before authentication, TLS excluded. */
  readonly preAuthBytesMax: number
  /** First-level elements received before a resource is bound. */
  readonly preAuthElementsMax: number
  /** Elements that may wait while an answer of the core is outstanding. */
  readonly pendingElementsMax: number
  /** Failed SASL exchanges on one stream (RFC 6120 §6.4.5 advises 2 to 5). */
  readonly saslAttemptsMax: number
  /** Bytes of one stanza of an authenticated client (RFC 6120 §13.12: at least 10000). */
  readonly stanzaBytesMax: number
  readonly stanzaDepthMax: number
  readonly stanzaAttributesMax: number
  readonly stanzaNodesMax: number
  /** Bytes of one stanza of a component. */
  readonly componentStanzaBytesMax: number
  /** Bytes per second that one client may send on average; 0 is unlimited. */
  readonly inputBytesPerSecondMax: number
  /** Bytes that a client may send at once beyond that rate. */
  readonly inputBurstBytesMax: number
  /** Bytes waiting for a peer that does not read; more closes the connection. */
  readonly outputBytesMax: number
  /** Bytes waiting beyond which the peer's own input is not read. */
  readonly outputHighBytes: number
  /** Bytes waiting for all peers together; beyond it those with most are cut off. */
  readonly outputAllBytesMax: number
  /** As `outputBytesMax`, for components. */
  readonly componentOutputBytesMax: number
}

export interface EdgeTimeouts {
  /** From accept to a bound resource, TLS included: slow-loris. */
  readonly negotiationMs: number
  /** From our close tag to the peer's (RFC 6120 §4.4). */
  readonly closeMs: number
  /** For a core to answer a request. */
  readonly coreMs: number
  /** Silence after which a space is sent (RFC 6120 §4.6.1); 0 never. */
  readonly keepaliveMs: number
  /** Silence after which the client is asked for a sign of life; 0 never. */
  readonly idleMs: number
  /** The same when something was sent to it since, and stream management does not ask anyway. */
  readonly unansweredMs: number
  /** For that sign of life to come. */
  readonly probeMs: number
  /** From drain to destroying what did not close. */
  readonly drainMs: number
  /** How often time-outs are looked at; they are this much late at most. */
  readonly sweepMs: number
}

export interface AuthBackoffConfig {
  /** Failures of one address that cost nothing. */
  readonly freeFailures: number
  /** Wait after the first failure beyond them; doubles with each. */
  readonly baseMs: number
  readonly maxMs: number
  /** Quiet time after which failures are forgotten. */
  readonly forgetMs: number
}

export interface WebSocketConfig {
  readonly path: string
  /** How often a ping control frame is sent to a silent client. */
  readonly pingMs: number
  /** Values of `Origin` that browsers may connect from; empty allows all (authentication never rides on cookies). */
  readonly origins: readonly string[]
}

export interface BoshConfig {
  readonly path: string
  readonly waitMaxSeconds: number
  readonly holdMax: number
  /** Time without a request after which a session ends. */
  readonly inactivitySeconds: number
  /** Shortest time between empty requests of a client that does not wait. */
  readonly pollingSeconds: number
  readonly pauseMaxSeconds: number
  /** Responses kept for a client that repeats a request. */
  readonly responsesKept: number
  /** Sessions at a time. */
  readonly sessionsMax: number
}

export interface HttpConfig {
  readonly websocket: WebSocketConfig
  readonly bosh: BoshConfig
  /** Public base URL, for instance `https://chat.example`, used in host-meta; '' takes it from the request. */
  readonly publicUrl: string
  /** Addresses of reverse proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. */
  readonly trustedProxies: readonly string[]
  /** Bytes of one HTTP request body. */
  readonly bodyBytesMax: number
  readonly headerBytesMax: number
  /** From the first byte to the whole request. */
  readonly requestTimeoutMs: number
  readonly keepAliveMs: number
}

export interface EdgeConfig {
  /** Domains served; the first answers where a peer names none. */
  readonly hosts: readonly string[]
  readonly listeners: readonly ListenerConfig[]
  readonly tls: TlsConfig
  /**
   * Whether clients must use TLS before they authenticate (RFC 6120 §5.3.1). HTTP in clear is let through from loopback
   * addresses, where a browser or a local proxy talks to us.
   */
  readonly isTlsRequired: boolean
  readonly components: readonly ComponentConfig[]
  /** Which SASL mechanisms are offered. */
  readonly sasl: SaslPolicy
  readonly limits: EdgeLimits
  /** Addresses whose connections are not counted by address: this machine, load balancers that hide their clients. */
  readonly exemptAddresses: readonly string[]
  readonly timeouts: EdgeTimeouts
  readonly authBackoff: AuthBackoffConfig
  /** New connections while the member is overloaded. */
  readonly admission: AdmissionConfig
  readonly http: HttpConfig
}

/** Forward secrecy and authenticated encryption only. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256',
].join(':')

const minuteMs = 60_000

/** Defaults for a server on the open internet; `hosts` is what a caller must at least replace. */
export const defaultEdgeConfig: EdgeConfig = {
  hosts: ['localhost'],
  listeners: [
    { kind: 'client', address: '::', port: 5222 },
    { kind: 'client-tls', address: '::', port: 5223 },
    { kind: 'http', address: '::', port: 5280 },
    { kind: 'https', address: '::', port: 5443 },
  ],
  tls: {
    certificates: {},
    selfSignedDirectory: '',
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    clientAuthorityFile: '',
    pollMs: 10_000,
    isCompact: true,
  },
  isTlsRequired: true,
  components: [],
  sasl: {
    scramHashes: ['SHA-1', 'SHA-256', 'SHA-512'],
    isPlainEnabled: true,
    mayPlainBeInsecure: false,
    isExternalEnabled: true,
    isAnonymousEnabled: false,
  },
  limits: {
    connectionsMax: 100_000,
    connectionsPerAddressMax: 1000,
    connectsPerMinuteMax: 6000,
    addressesMax: 100_000,
    preAuthElementBytesMax: 10_000,
    preAuthBytesMax: 64 * 1024,
    preAuthElementsMax: 40,
    pendingElementsMax: 20,
    saslAttemptsMax: 5,
    stanzaBytesMax: 256 * 1024,
    stanzaDepthMax: 64,
    stanzaAttributesMax: 64,
    stanzaNodesMax: 16_384,
    componentStanzaBytesMax: 1024 * 1024,
    inputBytesPerSecondMax: 0,
    inputBurstBytesMax: 1024 * 1024,
    outputBytesMax: 8 * 1024 * 1024,
    outputHighBytes: 1024 * 1024,
    outputAllBytesMax: 256 * 1024 * 1024,
    componentOutputBytesMax: 64 * 1024 * 1024,
  },
  exemptAddresses: ['127.0.0.1', '::1'],
  timeouts: {
    negotiationMs: minuteMs,
    closeMs: 5_000,
    coreMs: 20_000,
    keepaliveMs: 5 * minuteMs,
    idleMs: 15 * minuteMs,
    unansweredMs: minuteMs,
    probeMs: minuteMs,
    drainMs: 10_000,
    sweepMs: 1_000,
  },
  authBackoff: { freeFailures: 10, baseMs: 1_000, maxMs: 5 * minuteMs, forgetMs: 15 * minuteMs },
  admission: { queueMax: 2_000, waitMs: 15_000, perSecond: 100 },
  http: {
    websocket: { path: '/ws', pingMs: minuteMs, origins: [] },
    bosh: {
      path: '/http-bind', waitMaxSeconds: 60, holdMax: 2, inactivitySeconds: 60, pollingSeconds: 2, pauseMaxSeconds: 120,
      responsesKept: 4, sessionsMax: 50_000,
    },
    publicUrl: '',
    trustedProxies: [],
    bodyBytesMax: 512 * 1024,
    headerBytesMax: 8 * 1024,
    requestTimeoutMs: 30_000,
    keepAliveMs: 75_000,
  },
}
