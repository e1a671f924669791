/** The configuration as the server uses it: each part gets the shape that it declares itself. */
import { join, resolve } from 'node:path'
import { prepareDomainpart } from '@rollcall/jid'
import type { ScramHash } from '@rollcall/stream'
import type { AuthConfig } from '../core/auth/config.ts'
import type { CoreConfig } from '../core/config.ts'
import { defaultEdgeConfig } from '../edge/config.ts'
import type { PressureConfig } from '../runtime/pressure.ts'
import type { CertificateConfig, EdgeConfig, ListenerConfig } from '../edge/config.ts'
import { coreLimitKeys, edgeLimitKeys } from './limit-fields.ts'
import type { Settings } from './schema.ts'

export type StorageConfig =
  | { readonly kind: 'memory' }
  | {
    readonly kind: 'sqlite'
    /** Absolute. */
    readonly path: string
    readonly durability: 'full' | 'normal'
    readonly cacheBytes: number
    /** Undefined: unlimited. */
    readonly databaseBytesMax: number | undefined
  }

export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** `auto`: `text` on a terminal, else `json`. */
  readonly format: 'auto' | 'json' | 'text'
}

export interface AdminConfig {
  readonly isEnabled: boolean
  readonly address: string
  /** 0 lets the system choose. */
  readonly port: number
}

export interface ServerConfig {
  /** The file read, absolute; undefined when there was none. */
  readonly file: string | undefined
  /** Absolute. Holds database, self-signed certificates and control socket; the caller creates it. */
  readonly dataDir: string
  /** Absolute: the Unix domain socket on which the command talks to the server. */
  readonly controlSocket: string
  readonly edge: EdgeConfig
  readonly core: CoreConfig
  readonly auth: AuthConfig
  readonly storage: StorageConfig
  /** Thresholds of overload. */
  readonly pressure: PressureConfig
  readonly log: LogConfig
  readonly admin: AdminConfig
  /** Processes that share the work; 0: one for each core. */
  readonly workers: number
  /** Clients without TLS go on at the worker that owns their account. */
  readonly isPlacing: boolean
  /** Rehearse after the start while nobody is there. */
  readonly isRehearsing: boolean
  /** Make the demo accounts and say so. */
  readonly isDemo: boolean
}

const LOCALHOST = 'localhost'

/** Nothing but this machine reaches a server that nobody configured. */
const tryOutListeners: readonly ListenerConfig[] = [
  { kind: 'client', address: '127.0.0.1', port: 5222 },
  { kind: 'client-tls', address: '127.0.0.1', port: 5223 },
  { kind: 'http', address: '127.0.0.1', port: 5280 },
]

const scramHashes: readonly ScramHash[] = ['SHA-1', 'SHA-256', 'SHA-512']

/** Path of the control socket of a data folder. */
export function controlSocketOf(dataDir: string): string {
  return join(dataDir, 'control.sock')
}

export interface Origin {
  readonly file: string | undefined
  /** Folder that relative paths start from; `dataDir` of a caller starts from the current one. */
  readonly folder: string
  readonly dataDir: string | undefined
}

/** The server's configuration from settings that have been checked. */
export function toServerConfig(settings: Settings, { file, folder, dataDir: givenDir }: Origin): ServerConfig {
  const dataDir = givenDir === undefined ? resolve(folder, settings.data) : resolve(givenDir)
  const isTryOut = settings.hosts.length === 0
  const hosts = isTryOut ? [LOCALHOST] : settings.hosts.map(({ domain }) => prepareDomainpart(domain))
  const anonymousHosts = settings.hosts.filter(({ anonymous }) => anonymous).map(({ domain }) => prepareDomainpart(domain))
  return {
    file,
    dataDir,
    controlSocket: controlSocketOf(dataDir),
    edge: edgeConfig(settings, { hosts, folder, dataDir, isTryOut, hasAnonymous: anonymousHosts.length > 0 }),
    core: {
      hosts, admins: settings.admins, contacts: settings.contacts, modules: settings.modules, limits: pick(settings.limits, coreLimitKeys),
      streamManagement: settings.streamManagement,
    },
    auth: authConfig(settings, hosts, anonymousHosts),
    storage: storageConfig(settings, folder, dataDir),
    pressure: settings.overload,
    log: settings.log,
    admin: { isEnabled: settings.admin.enabled, address: settings.admin.address, port: settings.admin.port },
    workers: settings.workers,
    isPlacing: settings.placeClients,
    isRehearsing: settings.rehearsal,
    isDemo: settings.demo === 'auto' ? isTryOut : settings.demo === 'on',
  }
}

interface EdgeFacts {
  readonly hosts: readonly string[]
  readonly folder: string
  readonly dataDir: string
  readonly isTryOut: boolean
  readonly hasAnonymous: boolean
}

function edgeConfig(settings: Settings, { hosts, folder, dataDir, isTryOut, hasAnonymous }: EdgeFacts): EdgeConfig {
  const { auth, http, tls } = settings
  const defaultListeners = isTryOut ? tryOutListeners : defaultEdgeConfig.listeners
  const listeners = settings.listeners.map(({ kind, address, port, shared }) => ({ kind, address, port, isShared: shared }))
  return {
    hosts,
    listeners: listeners.length === 0 ? defaultListeners : listeners,
    tls: {
      certificates: certificates(settings, folder),
      selfSignedDirectory: join(dataDir, 'certificates'),
      minVersion: tls.minVersion,
      ciphers: tls.ciphers,
      clientAuthorityFile: auth.clientAuthority === '' ? '' : resolve(folder, auth.clientAuthority),
      pollMs: tls.pollMs,
      isCompact: tls.compact,
    },
    isTlsRequired: tls.required,
    components: settings.components.map(({ domain, secret }) => ({ domain: prepareDomainpart(domain), secret })),
    sasl: {
      scramHashes: offeredHashes(settings),
      isPlainEnabled: auth.mechanisms.includes('PLAIN'),
      mayPlainBeInsecure: auth.plainWithoutTls,
      isExternalEnabled: auth.mechanisms.includes('EXTERNAL'),
      isAnonymousEnabled: hasAnonymous,
    },
    limits: pick(settings.limits, edgeLimitKeys),
    exemptAddresses: settings.limits.exemptAddresses,
    timeouts: settings.timeouts,
    authBackoff: auth.addressLockout,
    admission: settings.overload.admission,
    http,
  }
}

function certificates({ hosts }: Settings, folder: string): Record<string, CertificateConfig> {
  const given = hosts.filter(({ certificate }) => certificate !== '')
  return Object.fromEntries(given.map(({ domain, certificate, key, passphrase }) => {
    const files = { certificateFile: resolve(folder, certificate), keyFile: resolve(folder, key) }
    return [prepareDomainpart(domain), passphrase === '' ? files : { ...files, passphrase }]
  }))
}

function offeredHashes({ auth }: Settings): readonly ScramHash[] {
  return scramHashes.filter((hash) => auth.mechanisms.includes(`SCRAM-${hash}`))
}

function authConfig(settings: Settings, hosts: readonly string[], anonymousHosts: readonly string[]): AuthConfig {
  const { accountLockout, derivationQueueMax, derivationsMax, iterations, passwordUnitsMin } = settings.auth
  const offered = offeredHashes(settings)
  return {
    hosts: new Set(hosts),
    anonymousHosts: new Set(anonymousHosts),
    // PLAIN alone still needs something to check passwords against.
    scramHashes: offered.length === 0 ? ['SHA-256'] : offered,
    iterations: { 'SHA-1': iterations.sha1, 'SHA-256': iterations.sha256, 'SHA-512': iterations.sha512 },
    passwordUnitsMin,
    derivationsMax,
    derivationQueueMax,
    lockout: accountLockout,
    clients: settings.auth.clients,
  }
}

function storageConfig({ storage }: Settings, folder: string, dataDir: string): StorageConfig {
  if (storage.kind === 'memory') return { kind: 'memory' }
  return {
    kind: 'sqlite',
    path: storage.path === '' ? join(dataDir, 'rollcall.sqlite') : resolve(folder, storage.path),
    durability: storage.durability,
    cacheBytes: storage.cacheBytes,
    databaseBytesMax: storage.databaseBytesMax === 0 ? undefined : storage.databaseBytesMax,
  }
}

function pick<T extends object, K extends keyof T>(values: T, keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map((key) => [key, values[key]])) as Pick<T, K>
}
