/**
 * Between a TCP socket and OpenSSL for as long as OpenSSL does the TLS: hands bytes through, shows them to the hand-over, and lets go
 * of the socket at the right moment, so that everything above it becomes garbage.
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { CANCELED, createJsStream, socketOver, tlsQueueBytes } from '../../runtime/js-stream.ts'
import type { JsStreamHandle, StreamRequest } from '../../runtime/js-stream.ts'
import { HandOver } from './hand-over.ts'
import type { RecordLayer } from './record-layer.ts'

/** Quiet moments without proof after which OpenSSL keeps the connection: its keys were updated, most likely. */
const PROOFS_MAX = 3

export class TlsPipe {
  readonly handOver = new HandOver()
  /** What TLS is given in place of the real socket. */
  readonly socket: Socket
  /** The real socket: the pipe's until `takeOver` gives a record layer. */
  readonly raw: Socket
  readonly #stream: JsStreamHandle
  readonly #soon: (callback: () => void) => void
  /** The write that TLS waits for. */
  #writing: StreamRequest | undefined
  #shuttingDown: StreamRequest | undefined
  #isDetached = false
  #proofsLeft = PROOFS_MAX

  /** `soon` calls back in a later turn. */
  constructor(raw: Socket, soon: (callback: () => void) => void) {
    this.raw = raw
    this.#soon = soon
    this.#stream = this.#makeStream()
    this.socket = socketOver(this.#stream)
    raw.on('data', this.#onData)
    raw.on('end', this.#onEnd)
    raw.on('close', this.#onClose)
    raw.on('drain', this.#settle)
  }

  /** Bytes of the peer that were read before there was a pipe. */
  feed(chunk: Buffer): void {
    this.#onData(chunk)
  }

  /**
   * The record layer that goes on from here, when nothing is half-way anywhere and it can be proven; then `tls` is of no use any
   * more and the real socket is the caller's. Undefined: not now.
   */
  takeOver(tls: TLSSocket): RecordLayer | undefined {
    if (this.#proofsLeft === 0) return undefined
    // What the real socket has taken needs no later turn to be called written.
    if (!this.raw.writableNeedDrain) this.#settle()
    if (!this.#isQuiet(tls)) return undefined
    this.#proofsLeft--
    const records = this.handOver.takeOver(tls.getCipher().name)
    if (records !== undefined) this.#detach()
    return records
  }

  #isQuiet(tls: TLSSocket): boolean {
    const { handOver, socket } = this
    if (tls.destroyed || !tls.readable || !tls.writable || tls.getProtocol() !== 'TLSv1.3') return false
    if (this.raw.destroyed || !this.raw.readable || !this.raw.writable || this.#writing !== undefined) return false
    if (tls.readableLength + tls.writableLength + socket.readableLength + socket.writableLength > 0) return false
    // Nothing of the application's was received yet, or sent not even a ticket: later there will be something to prove with.
    if (handOver.fromClient.last === undefined || handOver.fromServer.last === undefined) return false
    return handOver.fromClient.isAtBoundary && handOver.fromServer.isAtBoundary && tlsQueueBytes(tls) === 0
  }

  #detach(): void {
    this.#isDetached = true
    const raw = this.raw
    raw.off('data', this.#onData)
    raw.off('end', this.#onEnd)
    raw.off('close', this.#onClose)
    raw.off('drain', this.#settle)
  }

  // ------------------------------------------------------------------------------------ the real socket

  readonly #onData = (chunk: Buffer): void => {
    this.handOver.fromClient.push(chunk)
    if (!this.socket.destroyed) this.#stream.readBuffer(chunk)
  }

  readonly #onEnd = (): void => {
    if (!this.socket.destroyed) this.#stream.emitEOF()
  }

  readonly #onClose = (): void => {
    this.socket.destroy()
  }

  /** What TLS wrote is with the kernel: it may write on. */
  readonly #settle = (): void => {
    const request = this.#writing
    this.#writing = undefined
    if (request !== undefined) this.#stream.finishWrite(request, 0)
  }

  // ------------------------------------------------------------------------------------ TLS

  #makeStream(): JsStreamHandle {
    const raw = this.raw
    return Object.assign(createJsStream(), {
      isClosing: () => raw.destroyed,
      onreadstart: () => {
        if (!this.#isDetached) raw.resume()
        return 0
      },
      onreadstop: () => {
        if (!this.#isDetached) raw.pause()
        return 0
      },
      onwrite: (request: StreamRequest, chunks: readonly Buffer[]) => this.#write(request, chunks),
      onshutdown: (request: StreamRequest) => this.#shutDown(request),
      close: (closed: () => void) => this.#close(closed),
      getpeername: (into: { address?: string, port?: number }) => {
        into.address = raw.remoteAddress
        into.port = raw.remotePort
        return 0
      },
      getsockname: (into: { address?: string, port?: number }) => {
        into.address = raw.localAddress
        into.port = raw.localPort
        return 0
      },
    })
  }

  #write(request: StreamRequest, chunks: readonly Buffer[]): number {
    // Detached, it would be the goodbye of a TLS that goes on elsewhere.
    if (this.#isDetached) return CANCELED
    this.#writing = request
    let isTaken = true
    for (const chunk of chunks) {
      this.handOver.fromServer.push(chunk)
      isTaken = this.raw.write(chunk)
    }
    // TLS must not be told while it calls; otherwise `drain` tells it.
    if (isTaken) this.#soon(this.#settle)
    return 0
  }

  #shutDown(request: StreamRequest): number {
    if (this.#isDetached) return CANCELED
    this.#shuttingDown = request
    this.raw.end(() => this.#soon(() => this.#finishShutdown(0)))
    return 0
  }

  #finishShutdown(status: number): void {
    const request = this.#shuttingDown
    this.#shuttingDown = undefined
    if (request !== undefined) this.#stream.finishShutdown(request, status)
  }

  #close(closed: () => void): void {
    if (!this.#isDetached) this.raw.destroy()
    this.#soon(() => {
      const request = this.#writing
      this.#writing = undefined
      if (request !== undefined) this.#stream.finishWrite(request, CANCELED)
      this.#finishShutdown(CANCELED)
      closed()
    })
  }
}
