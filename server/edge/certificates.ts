/**
 * One TLS context per host, shared by all connections (a context per socket would cost 25 KiB and half a millisecond
 * each), replaced when its files change.
 *
 * Files are looked at by modification time and size, not watched: renewals swap symbolic links, and watching those is
 * different on every platform. A certificate that cannot be read leaves the old one in use and says so in the log.
 */
import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { SecureContext } from 'node:tls'
import type { Clock, Log, Random, Timer } from '@rollcall/ports'
import type { CertificateConfig, TlsConfig } from './config.ts'
import { asciiOf, selfSignedFor } from './self-signed.ts'
import type { CertificatePair } from './self-signed.ts'
import { hasJsStreams } from '../runtime/js-stream.ts'

interface Entry {
  context: SecureContext
  pair: CertificatePair
  /** What the files looked like when they were read; '' for a self-signed certificate. */
  seen: string
  validToMs: number
}

/** A host's certificate could not be read or does not fit its key. */
export class CertificateError extends Error {
  readonly host: string

  constructor(host: string, cause: unknown) {
    super(`certificate of ${host}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'CertificateError'
    this.host = host
  }
}

export interface CertificatePorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export class Certificates {
  readonly #ports: CertificatePorts
  readonly #entries = new Map<string, Entry>()
  #hosts: readonly string[] = []
  #config: TlsConfig
  #authorities: string | undefined
  #timer: Timer | undefined
  #onChange: () => void = () => {}
  #isRefreshing = false

  constructor(config: TlsConfig, ports: CertificatePorts) {
    this.#config = config
    this.#ports = ports
  }

  /** Whether clients are asked for certificates. */
  get asksClients(): boolean {
    return this.#config.clientAuthorityFile !== ''
  }

  get config(): TlsConfig {
    return this.#config
  }

  /** Whether contexts tell the secrets of their connections to sockets that listen for `keylog`. */
  get tellsSecrets(): boolean {
    return this.#config.isCompact && hasJsStreams
  }

  /** Called after any context was replaced. */
  onChange(changed: () => void): void {
    this.#onChange = changed
  }

  /** Reads all certificates; throws `CertificateError` for the first that is no good and then changes nothing. */
  async load(hosts: readonly string[], config: TlsConfig): Promise<void> {
    const authorities = config.clientAuthorityFile === '' ? undefined : await this.#readAuthorities(config.clientAuthorityFile)
    const entries: [string, Entry][] = []
    for (const host of hosts) {
      try {
        entries.push([asciiOf(host), await this.#read(host, config, authorities)])
      } catch (error) {
        throw new CertificateError(host, error)
      }
    }
    this.#config = config
    this.#authorities = authorities
    this.#hosts = hosts
    this.#entries.clear()
    for (const [host, entry] of entries) this.#entries.set(host, entry)
    this.#onChange()
  }

  /** Looks at the files every `pollMs`. */
  watch(): void {
    this.#timer ??= this.#ports.clock.every(this.#config.pollMs, () => {
      if (this.#isRefreshing) return
      this.#isRefreshing = true
      void this.refresh().finally(() => {
        this.#isRefreshing = false
      })
    })
  }

  unwatch(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Reads again what has changed on disk; never rejects. */
  async refresh(): Promise<void> {
    for (const host of this.#hosts) {
      const entry = this.#entries.get(asciiOf(host))
      const files = this.#config.certificates[host]
      if (entry === undefined) continue
      try {
        const isDue = files === undefined
          ? entry.validToMs - this.#ports.clock.now() < 0
          : await appearance(files) !== entry.seen
        if (!isDue) continue
        this.#entries.set(asciiOf(host), await this.#read(host, this.#config, this.#authorities))
        this.#ports.log.info('certificate-reloaded', { host })
        this.#onChange()
      } catch (error) {
        this.#ports.log.error('certificate-unreadable', { host, error })
      }
    }
  }

  /** The context for a server name (an A-label host of ours); undefined when there is none. */
  contextFor(serverName: string): SecureContext | undefined {
    return this.#entries.get(serverName.toLowerCase())?.context
  }

  /** The host's PEM texts: what `https` and `tls` take as `key` and `cert`. */
  pairFor(host: string): CertificatePair | undefined {
    return this.#entries.get(asciiOf(host))?.pair
  }

  get authorities(): string | undefined {
    return this.#authorities
  }

  /** Seconds until the host's certificate ends, for metrics. */
  secondsLeft(host: string): number {
    const entry = this.#entries.get(asciiOf(host))
    return entry === undefined ? 0 : Math.round((entry.validToMs - this.#ports.clock.now()) / 1000)
  }

  async #read(host: string, config: TlsConfig, authorities: string | undefined): Promise<Entry> {
    const files = config.certificates[host]
    const { clock, random, log } = this.#ports
    const seen = files === undefined ? '' : await appearance(files)
    const pair = files === undefined
      ? await selfSignedFor(host, config.selfSignedDirectory, clock.now(), random)
      : { certificate: await readFile(files.certificateFile, 'utf8'), key: await readFile(files.keyFile, 'utf8') }
    const context = createSecureContext({
      cert: pair.certificate,
      key: pair.key,
      passphrase: files?.passphrase,
      ca: authorities,
      minVersion: config.minVersion,
      ciphers: config.ciphers,
      honorCipherOrder: true,
    })
    if (config.isCompact && hasJsStreams) tellSecrets(context)
    const leaf = new X509Certificate(pair.certificate)
    if (files === undefined) log.info('certificate-self-signed', { host, fingerprint: leaf.fingerprint256 })
    else if (leaf.checkHost(asciiOf(host)) === undefined) log.warn('certificate-name-mismatch', { host, subject: leaf.subjectAltName })
    return { context, pair, seen, validToMs: leaf.validToDate.getTime() }
  }

  async #readAuthorities(file: string): Promise<string> {
    try {
      return await readFile(file, 'utf8')
    } catch (error) {
      throw new CertificateError('client authorities', error)
    }
  }
}

/** Node turns the key log on for a context when a socket made with it gets a listener; contexts found by SNI never are. */
function tellSecrets(secureContext: SecureContext): void {
  const socket = new TLSSocket(new PassThrough(), { isServer: true, secureContext })
  socket.on('error', () => {})
  socket.on('keylog', () => {})
  socket.destroy()
}

/** A text that changes when the files do. */
async function appearance({ certificateFile, keyFile }: CertificateConfig): Promise<string> {
  const [certificate, key] = await Promise.all([stat(certificateFile), stat(keyFile)])
  return [certificate.mtimeMs, certificate.size, certificate.ino, key.mtimeMs, key.size, key.ino].join(' ')
}
