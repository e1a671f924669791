/**
 * A stream over TCP, in clear or under TLS: bytes to frames and one write per turn.
 *
 * Sockets carry their connection under a symbol and share their listeners, so a connection costs no closures. STARTTLS
 * swaps the socket under a living connection, and swaps it back when TLS leaves OpenSSL: from then on the connection is one
 * over plain TCP whose bytes pass through a `RecordLayer` (docs/adr/0014-tls-memory.md).
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { flatCopy } from '@rollcall/ports'
import { StreamFramer } from '@rollcall/xml'
import type { Frame, FrameSink, StreamContext, StreamHeader, XmlLimits } from '@rollcall/xml'
import type { Secured, Upgradable } from './capabilities.ts'
import { takeHandle } from '../runtime/index.ts'
import { readAsStream, readDirectly } from '../runtime/direct-read.ts'
import { writeDirectly } from '../runtime/direct-write.ts'
import type { DirectWriter } from '../runtime/direct-write.ts'
import type { BatchHandle, BatchWriter } from '../runtime/write-batch.ts'
import { Connection } from './connection.ts'
import type { StreamService } from './connection.ts'
import type { Departed, Movable } from './guest.ts'
import type { Hub } from './hub.ts'
import { HOLD_BUSY, HOLD_OUTPUT } from './stages.ts'
import type { OwnHeader, StreamFault } from './stream-wire.ts'
import { NS_TLS, streamErrorWire, streamHeaderWire } from './stream-wire.ts'
import { tlsFacts } from './tls-facts.ts'
import type { TlsFacts } from './tls-facts.ts'
import type { RecordLayer, RecordSink } from './tls-records/record-layer.ts'
import { TlsFault } from './tls-records/record.ts'
import type { TlsPipe } from './tls-records/tls-pipe.ts'

const CONNECTION = Symbol('connection')
type OwnedSocket = Socket & { [CONNECTION]?: TcpConnection }
const NO_BINDINGS: ReadonlyMap<string, Uint8Array> = new Map()

/** Starts TLS on a socket that has a connection; `TcpConnection.secured` is called when it is done. */
export type StartTls = (connection: TcpConnection, socket: Socket, host: string | undefined) => void

export class TcpConnection extends Connection implements FrameSink, Upgradable, Secured, Movable, DirectWriter, BatchWriter, RecordSink {
  #socket: OwnedSocket
  /** While OpenSSL does the TLS. */
  #tls: TLSSocket | undefined
  /** Where OpenSSL may be left. */
  #pipe: TlsPipe | undefined
  /** Does the TLS after OpenSSL. */
  #records: RecordLayer | undefined
  #isEnding = false
  /** Bytes that went past the socket's own queue and that the kernel does not have yet, some of them. */
  #underWayBytes = 0
  /** Something was given to the socket's own queue and may still be there: only then is the socket asked. */
  #mayQueue = true
  handle: BatchHandle | undefined = undefined
  fd = -1
  /** TLS runs its handshake on the socket. */
  #isUpgrading = false
  /** The socket is not read. */
  #isPaused = false
  readonly #framer: StreamFramer
  readonly #startTls: StartTls | undefined

  /** `startTls` is given where STARTTLS may be offered. */
  constructor(hub: Hub, service: StreamService, address: string, socket: Socket, startTls: StartTls | undefined) {
    super(hub, service, address)
    this.#socket = socket
    this.#framer = new StreamFramer(hub.preAuthLimits)
    this.#startTls = startTls
  }

  get transport(): 'tcp' | 'tls' {
    return this.isSecure ? 'tls' : 'tcp'
  }

  get isSecure(): boolean {
    return this.#tls !== undefined || this.#records !== undefined
  }

  /** Begins to read: in clear, or TLS that `records` does. */
  start(records?: RecordLayer): void {
    this.#own(this.#socket)
    if (records !== undefined) {
      this.#records = records
      this.hub.metrics.compactCount++
    }
    if (!readDirectly(this.#socket, onRead)) this.#socket.on('data', onData)
  }

  /** Watches the socket while TLS runs its handshake on it. */
  startHandshake(): void {
    this.#isUpgrading = true
    this.#own(this.#socket)
  }

  /** TLS is up: everything goes through `socket` from now on, or until `pipe` lets it leave OpenSSL. */
  secured(socket: TLSSocket, pipe: TlsPipe | undefined): void {
    if (this.stage === 'closed' || !this.isOpen) {
      socket.destroy()
      return
    }
    this.#isUpgrading = false
    this.#isPaused = false
    this.#disown(this.#socket)
    this.#tls = socket
    this.#pipe = pipe
    this.#socket = socket
    this.#mayQueue = true
    this.#own(socket)
    socket.on('data', onData)
    this.applyHolds()
  }

  channelBindings(): ReadonlyMap<string, Uint8Array> {
    return this.#facts?.channelBindings ?? NO_BINDINGS
  }

  tlsVersion(): string | undefined {
    return this.#facts?.version
  }

  certificateIdentities(): readonly string[] {
    return this.#facts?.certificateIdentities ?? []
  }

  get #facts(): TlsFacts | undefined {
    const { negotiation } = this
    if (negotiation === undefined || this.#tls === undefined) return negotiation?.tls
    return (negotiation.tls ??= tlsFacts(this.#tls))
  }

  /** At a moment when nothing is half-way, OpenSSL can go. */
  #leaveOpenSsl(pipe: TlsPipe, tls: TLSSocket): void {
    if (this.#isPaused || (this.holds & ~HOLD_BUSY) !== 0) return
    const records = pipe.takeOver(tls)
    if (records === undefined) return
    // Asked for while OpenSSL still knows; a login may be under way.
    void this.#facts
    this.#disown(tls)
    this.#tls = undefined
    this.#pipe = undefined
    this.#records = records
    this.#socket = pipe.raw
    this.#mayQueue = true
    tls.destroy()
    this.#own(pipe.raw)
    readDirectly(pipe.raw, onRead)
    // Of what was read before, and where nothing can be read directly.
    pipe.raw.on('data', onData)
    pipe.raw.resume()
    this.hub.metrics.compactCount++
  }

  // ------------------------------------------------------------------------------------ STARTTLS

  get mayUpgrade(): boolean {
    return this.#startTls !== undefined && !this.isSecure && this.negotiation?.hasUpgraded === false
  }

  /** `<proceed/>`, then TLS (RFC 6120 §5.4.2.3). */
  upgrade(): void {
    // RFC 6120 §5.3.3: what follows <starttls/> in clear could be an attacker's, so nothing of it may live on.
    const rest = this.#framer.takeRest()
    if (rest.some((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
      this.fail({ condition: 'policy-violation', text: 'data after starttls' })
      return
    }
    this.sendControl(`<proceed xmlns='${NS_TLS}'/>`)
    this.flush()
    this.#socket.off('data', onData)
    readAsStream(this.#socket)
    this.#socket.pause()
    this.#isUpgrading = true
    this.#framer.reset()
    this.reopen()
    this.#startTls?.(this, this.#socket, this.host?.domainpart)
  }

  // ------------------------------------------------------------------------------------ another process

  depart(): Departed | undefined {
    if (!this.isOpen || this.#isUpgrading || this.#isEnding) return undefined
    this.flush()
    const socket = this.#socket
    const records = this.#records
    if (this.#tls !== undefined || records?.isMovable === false || this.#underWayBytes > 0) return undefined
    const passed = takeHandle(socket)
    if (passed === undefined) return undefined
    this.#disown(socket)
    const rest = this.#framer.takeRest()
    const stream = this.#framer.streamContext
    const tls = records?.giveAway()
    this.lost()
    return { socket: passed, rest, ...(stream && { stream }), ...(tls && { tls }) }
  }

  /** Goes on with a stream whose headers were exchanged elsewhere. */
  continueStream(context: StreamContext): void {
    this.#framer.continueStream(context)
    this.isHeaderSent = true
    this.stage = 'negotiating'
  }

  // ------------------------------------------------------------------------------------ input

  onBytes(chunk: Uint8Array): void {
    if (this.#records === undefined) {
      this.onPlaintext(chunk)
      return
    }
    try {
      this.#records.receive(chunk, this)
    } catch (error) {
      this.#onTlsFault(this.#records, error)
    }
  }

  /** The peer broke the protocol of records: it is told, if it still reads, and that is all. */
  #onTlsFault(records: RecordLayer, error: unknown): void {
    if (!(error instanceof TlsFault)) throw error
    this.hub.ports.log.debug('tls-fault', { conn: this.id, address: this.address, alert: error.alert })
    this.out = ''
    this.#write(records.sealEnd(error.alert), this.#waitingBytes())
    this.destroy()
  }

  onTlsEnd(isError: boolean): void {
    if (isError) this.destroy()
    else this.onEnd()
  }

  onPlaintext(chunk: Uint8Array): void {
    this.noteInput(chunk.length)
    this.shareUsed = 0
    this.hub.share.beginRead()
    try {
      this.#framer.push(chunk, this)
    } catch (error) {
      this.onReadError(error)
    }
    if (this.holds !== 0 && this.#framer.bufferedBytes > 0) this.#pauseSocket()
  }

  streamOpen(header: StreamHeader): void {
    if (this.isOpen) this.service.header(this, header)
  }

  element(frame: Frame): void {
    this.receive(frame)
  }

  streamClose(): void {
    this.peerClosed()
  }

  /** The peer ended its direction: without a close tag that is a loss. */
  onEnd(): void {
    if (this.stage === 'closing') {
      this.endOutput()
      return
    }
    this.lost()
    this.#socket.destroy()
  }

  onGone(socket: Socket): void {
    if (socket === this.#socket) this.lost()
  }

  protected override applyHolds(): void {
    if (this.#isUpgrading) return
    if (this.holds !== 0) {
      this.#framer.pause()
      // A client that waits for its answer sends nothing, so the socket is stopped only when it does: see `onBytes`.
      if ((this.holds & ~HOLD_BUSY) !== 0) this.#pauseSocket()
      return
    }
    try {
      this.#framer.resume(this)
    } catch (error) {
      this.onReadError(error)
    }
    if (this.holds === 0 && this.#isPaused && !this.#isUpgrading) {
      this.#isPaused = false
      this.#socket.resume()
    }
  }

  #pauseSocket(): void {
    if (this.#isPaused || this.#isUpgrading) return
    this.#isPaused = true
    this.#socket.pause()
  }

  // ------------------------------------------------------------------------------------ output

  protected override writeHeader(header: OwnHeader): void {
    this.sendControl(streamHeaderWire(this.service.contentNs, header))
  }

  protected override writeFault(fault: StreamFault): void {
    this.out += streamErrorWire(fault)
  }

  protected override writeClose(): void {
    this.out += '</stream:stream>'
  }

  protected override released(): void {
    this.hub.guard.leave(this.address)
    if (this.#records !== undefined) this.hub.metrics.compactCount--
  }

  protected override writeKeepalive(): void {
    this.sendControl(' ')
  }

  override sendControl(wire: string): void {
    this.out += wire
    if (!this.isDirty) this.hub.markDirty(this)
  }

  override sendStanza(wire: string): void {
    this.out += wire
    if (!this.isDirty) this.hub.markDirty(this)
    // Checked against the socket's own queue too, but only once per turn: see `flush`.
    if (this.out.length > this.service.outputBytesMax()) this.overflow()
  }

  protected override sendPresence(wire: string): void {
    this.out += wire
    if (!this.isDirty && !this.isGathering) this.hub.gather(this)
    if (this.out.length > this.service.outputBytesMax()) this.overflow()
  }

  protected override sendEcho(wire: string): void {
    // What stands there already is to be written, and takes it along.
    if (this.out === '') this.hub.gatherEcho(this)
    this.out += wire
    if (this.out.length > this.service.outputBytesMax()) this.overflow()
  }

  override flush(): void {
    const { out } = this
    if (out === '' || this.#isUpgrading) return
    if (this.#pipe !== undefined && this.#tls !== undefined) this.#leaveOpenSsl(this.#pipe, this.#tls)
    this.out = ''
    const waiting = this.#waitingBytes()
    if (this.stage === 'bound' && waiting + out.length > this.service.outputBytesMax()) {
      this.overflow()
      return
    }
    this.hub.metrics.bytesOut.add(out.length)
    const wire = this.#records === undefined ? out : this.#records.seal(out)
    const mayWait = waiting === 0 && this.#tls === undefined && !this.#isEnding
    if (!mayWait || !this.hub.writes.add(wire, this)) this.#writeNow(wire, waiting)
  }

  get target(): Socket {
    return this.#socket
  }

  writeRest(rest: string | Uint8Array): void {
    if (this.stage !== 'closed') this.#writeNow(rest, this.#waitingBytes())
  }

  /** Bytes that were written and that the kernel does not have. */
  #waitingBytes(): number {
    if (!this.#mayQueue) return this.#underWayBytes
    const { writableLength } = this.#socket
    this.#mayQueue = writableLength > 0
    return writableLength + this.#underWayBytes
  }

  /** Stops reading where the peer does not read what it is sent. */
  #writeNow(wire: string | Uint8Array, waiting: number): void {
    const isTaken = this.#write(wire, waiting)
    const isHigh = !isTaken && waiting + wire.length > this.hub.config.limits.outputHighBytes
    if (isHigh && this.isOpen && (this.holds & HOLD_OUTPUT) === 0) {
      this.hold(HOLD_OUTPUT)
      if (this.#underWayBytes === 0) this.#socket.once('drain', onDrain)
    }
  }

  /** False when it waits in the socket. */
  #write(out: string | Uint8Array, waiting: number): boolean {
    const socket = this.#socket
    // Behind something else it waits for a slow client, and a slice would keep all alive that came with it.
    if (waiting > 0) return this.#queue(typeof out === 'string' ? flatCopy(out) : out)
    if (this.#tls !== undefined || this.#isEnding) return this.#queue(out)
    const outcome = writeDirectly(socket, out, this)
    if (outcome === 'impossible') return this.#queue(out)
    if (outcome === 'under-way') this.#underWayBytes = out.length
    return outcome === 'taken'
  }

  /** False when it waits in the socket. */
  #queue(wire: string | Uint8Array): boolean {
    const socket = this.#socket
    this.#mayQueue = true
    return socket.destroyed || !socket.writable || (typeof wire === 'string' ? socket.write(wire, 'latin1') : socket.write(wire))
  }

  written(): void {
    this.#underWayBytes = 0
    if (!this.#socket.writableNeedDrain) this.release(HOLD_OUTPUT)
    else if ((this.holds & HOLD_OUTPUT) !== 0) this.#socket.once('drain', onDrain)
  }

  protected override endOutput(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    if (this.#isUpgrading) {
      // Nothing can be said in the middle of a TLS handshake.
      this.#socket.destroy()
      return
    }
    this.flush()
    this.hub.writes.submit()
    if (this.#records !== undefined) this.#queue(this.#records.sealEnd())
    this.#socket.end()
  }

  override destroy(): void {
    this.#socket.destroy()
    this.lost()
  }

  override restart(): void {
    this.#framer.reset()
    this.reopen()
  }

  override get queuedBytes(): number {
    return this.out.length + this.#waitingBytes()
  }

  override setLimits(limits: XmlLimits): void {
    this.#framer.setLimits(limits)
  }

  // ------------------------------------------------------------------------------------ sockets

  #own(socket: OwnedSocket): void {
    socket[CONNECTION] = this
    socket.off('error', onError)
    socket.on('error', onError)
    socket.on('close', onClose)
    socket.on('end', onEnd)
  }

  /** The raw socket under TLS keeps its error listener: an unheard error would end the process. */
  #disown(socket: OwnedSocket): void {
    socket[CONNECTION] = undefined
    socket.off('data', onData)
    socket.off('close', onClose)
    socket.off('end', onEnd)
  }
}

function onData(this: OwnedSocket, chunk: Uint8Array): void {
  this[CONNECTION]?.onBytes(chunk)
}

/** Neither framer nor record layer keeps anything of what it is given. */
function onRead(this: OwnedSocket, byteCount: number, bytes: Uint8Array): boolean {
  this[CONNECTION]?.onBytes(bytes.subarray(0, byteCount))
  return true
}

function onEnd(this: OwnedSocket): void {
  this[CONNECTION]?.onEnd()
}

function onDrain(this: OwnedSocket): void {
  this[CONNECTION]?.release(HOLD_OUTPUT)
}

function onClose(this: OwnedSocket): void {
  this[CONNECTION]?.onGone(this)
}

/** `close` follows and does the rest. */
function onError(this: OwnedSocket): void {
  this.destroy()
}
