/**
 * A certificate for a host that has none, so that a first start needs no preparation.
 *
 * Made with a library, loaded only when needed; kept on disk when a directory is given, so that clients which were told to
 * trust it find the same one after a restart.
 */
import { KeyObject, webcrypto } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Random } from '@rollcall/ports'

/** PEM texts of a certificate and its private key. */
export interface CertificatePair {
  readonly certificate: string
  readonly key: string
}

const DAY_MS = 86_400_000
/** Longest that platforms accept for a server's certificate. */
const VALID_DAYS = 397
/** A kept certificate is replaced when it ends sooner than this. */
const RENEW_DAYS = 30
const CLOCK_SKEW_MS = DAY_MS

/** The host's kept certificate while it is good for some time, else a new one, kept if `directory` is not ''. `nowMs` is wall-clock time. */
export async function selfSignedFor(host: string, directory: string, nowMs: number, random: Random): Promise<CertificatePair> {
  const kept = directory === '' ? undefined : await readKept(directory, host)
  if (kept !== undefined && await endOf(kept) - nowMs > RENEW_DAYS * DAY_MS) return kept
  const pair = await generate(host, nowMs, random)
  if (directory !== '') await keep(directory, host, pair)
  return pair
}

async function generate(host: string, nowMs: number, random: Random): Promise<CertificatePair> {
  // The library's injection container asks for this polyfill before anything else.
  await import('reflect-metadata')
  const { X509CertificateGenerator, SubjectAlternativeNameExtension, BasicConstraintsExtension, ExtendedKeyUsageExtension, ExtendedKeyUsage } =
    await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const asciiHost = asciiOf(host)
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: `01${Buffer.from(random.bytes(15)).toString('hex')}`,
    name: [{ CN: [asciiHost] }],
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + VALID_DAYS * DAY_MS - CLOCK_SKEW_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(false),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: asciiHost }]),
    ],
  })
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })
  return { certificate: `${certificate.toString('pem')}\n`, key }
}

/** The A-label form of a host (RFC 5890), which is what certificates and SNI carry. */
export function asciiOf(host: string): string {
  try {
    return new URL(`https://${host}`).hostname
  } catch {
    return host
  }
}

function pathOf(directory: string, host: string): string {
  return join(directory, `${asciiOf(host).replace(/[^a-z0-9.-]/g, '_')}.pem`)
}

const KEY_START = '-----BEGIN PRIVATE KEY-----'

async function readKept(directory: string, host: string): Promise<CertificatePair | undefined> {
  try {
    const text = await readFile(pathOf(directory, host), 'utf8')
    const split = text.indexOf(KEY_START)
    return split < 0 ? undefined : { certificate: text.slice(0, split), key: text.slice(split) }
  } catch {
    return undefined
  }
}

async function keep(directory: string, host: string, { certificate, key }: CertificatePair): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = pathOf(directory, host)
  await writeFile(`${path}.new`, certificate + key, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

async function endOf({ certificate }: CertificatePair): Promise<number> {
  const { X509Certificate } = await import('node:crypto')
  try {
    return new X509Certificate(certificate).validToDate.getTime()
  } catch {
    return 0
  }
}
