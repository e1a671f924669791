/**
 * The other side of Web Push for tests: a browser's keys, and its maker's push service as an HTTP server on loopback.
 *
 * It is written against the specifications with Web Crypto, and shares nothing with what it checks.
 */
import { createECDH, webcrypto } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

const { subtle } = webcrypto

export interface Browser {
  readonly keys: { readonly p256dh: Buffer; readonly auth: Buffer }
  /** RFC 8291 §3.4 and RFC 8188 §2; rejects for a body that is not for this browser, or was changed. */
  decrypt(body: Buffer): Promise<Buffer>
}

export function makeBrowser(): Browser {
  const pair = createECDH('prime256v1')
  const p256dh = pair.generateKeys()
  const auth = Buffer.from('sixteen bytes of')
  return {
    keys: { p256dh, auth },
    async decrypt(body) {
      const salt = body.subarray(0, 16)
      const keyLength = body.readUInt8(20)
      const theirs = body.subarray(21, 21 + keyLength)
      const sealed = body.subarray(21 + keyLength)
      if (sealed.length > body.readUInt32BE(16)) throw new Error('More than one record')
      const info = Buffer.concat([Buffer.from('WebPush: info\0', 'latin1'), p256dh, theirs])
      const secret = await derive(pair.computeSecret(theirs), auth, info, 256)
      const key = await derive(secret, salt, Buffer.from('Content-Encoding: aes128gcm\0', 'latin1'), 128)
      const iv = await derive(secret, salt, Buffer.from('Content-Encoding: nonce\0', 'latin1'), 96)
      const aes = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt'])
      const padded = Buffer.from(await subtle.decrypt({ name: 'AES-GCM', iv }, aes, new Uint8Array(sealed)))
      const end = padded.findLastIndex((byte) => byte !== 0)
      if (padded[end] !== 2) throw new Error('Not the last record')
      return padded.subarray(0, end)
    },
  }
}

async function derive(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, bits: number): Promise<Uint8Array<ArrayBuffer>> {
  const key = await subtle.importKey('raw', new Uint8Array(secret), 'HKDF', false, ['deriveBits'])
  const parameters = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(salt), info: new Uint8Array(info) }
  return new Uint8Array(await subtle.deriveBits(parameters, key, bits))
}

/** Claims of a VAPID header whose signature is right (RFC 8292 §3); throws for any other. */
export async function readVapid(header: string | undefined): Promise<{ readonly claims: Record<string, unknown>; readonly key: string }> {
  const [, token = '', key = ''] = /^vapid t=([^,]+), k=(\S+)$/.exec(header ?? '') ?? []
  const [head = '', claims = '', signature = ''] = token.split('.')
  const publicKey = await subtle.importKey('raw', Buffer.from(key, 'base64url'), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
  const isRight = await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, publicKey, Buffer.from(signature, 'base64url'), Buffer.from(`${head}.${claims}`))
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  if (!isRight || read(head).alg !== 'ES256') throw new Error('The token is not signed by the key')
  return { claims: read(claims), key }
}

export interface Pushed {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export interface PushEndpoint {
  readonly origin: string
  readonly pushed: Pushed[]
  /** What the next requests are answered with. */
  status: number
  headers: Record<string, string>
  /** Resolves when there have been so many requests; the test's own time limit ends the wait. */
  received(count: number): Promise<void>
  close(): Promise<void>
}

export async function startPushEndpoint(): Promise<PushEndpoint> {
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      response.writeHead(endpoint.status, endpoint.headers).end('thanks')
      endpoint.pushed.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) })
      for (const look of waiting) look()
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const endpoint: PushEndpoint = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    pushed: [],
    status: 201,
    headers: {},
    received: (count) => new Promise((resolve) => {
      const look = () => {
        if (endpoint.pushed.length < count) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    }),
    close: () => new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
  }
  return endpoint
}
