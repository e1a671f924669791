/**
 * A stream over TCP, in clear or under TLS: bytes to frames and one write per turn.
 *
 * What carries the bytes is a `Conduit`: the bare handle, or a stream while OpenSSL does the TLS. STARTTLS swaps it under a living
 * connection, and swaps it back when TLS leaves OpenSSL: from then on the connection is one over plain TCP whose bytes pass
 * through a `RecordLayer` (docs/adr/0014-tls-memory.md).
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { StreamFramer } from '@rollcall/xml'
import type { Frame, FrameSink, StreamContext, StreamHeader, XmlLimits } from '@rollcall/xml'
import type { Secured, Upgradable } from './capabilities.ts'
import type { Conduit, ConduitOwner } from '../runtime/index.ts'
import { takeHandle } from '../runtime/index.ts'
import { conduitOn, StreamConduit } from '../runtime/stream-conduit.ts'
import type { BatchWriter } from '../runtime/write-batch.ts'
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

const NO_BINDINGS: ReadonlyMap<string, Uint8Array> = new Map()

/** Starts TLS on a socket that has a connection; `TcpConnection.secured` is called when it is done. */
export type StartTls = (connection: TcpConnection, socket: Socket, host: string | undefined) => void

export class TcpConnection extends Connection implements FrameSink, Upgradable, Secured, Movable, ConduitOwner, BatchWriter, RecordSink {
  #conduit: Conduit
  /** While OpenSSL does the TLS. */
  #tls: TLSSocket | undefined
  /** Where OpenSSL may be left. */
  #pipe: TlsPipe | undefined
  /** Does the TLS after OpenSSL. */
  #records: RecordLayer | undefined
  #isEnding = false
  /** TLS runs its handshake on the socket. */
  #isUpgrading = false
  /** The conduit is not read. */
  #isPaused = false
  readonly #framer: StreamFramer
  readonly #startTls: StartTls | undefined

  /** `startTls` is given where STARTTLS may be offered. */
  constructor(hub: Hub, service: StreamService, address: string, conduit: Conduit, startTls: StartTls | undefined) {
    super(hub, service, address)
    this.#conduit = conduit
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
    if (records !== undefined) {
      this.#records = records
      this.hub.metrics.compactCount++
    }
    this.#conduit.start(this)
    if (this.#isPaused) this.#conduit.pause()
  }

  /** The socket for TLS to run its handshake on; it is watched. */
  startHandshake(): Socket {
    this.#isUpgrading = true
    const socket = this.#conduit.toSocket()
    const conduit = new StreamConduit(socket)
    this.#conduit = conduit
    conduit.watch(this)
    return socket
  }

  /** TLS is up: everything goes through `socket` from now on, or until `pipe` lets it leave OpenSSL. */
  secured(socket: TLSSocket, pipe: TlsPipe | undefined): void {
    if (this.stage === 'closed' || !this.isOpen) {
      socket.destroy()
      return
    }
    this.#isUpgrading = false
    this.#isPaused = false
    this.#conduit.toSocket()
    this.#tls = socket
    this.#pipe = pipe
    this.#conduit = new StreamConduit(socket)
    this.#conduit.start(this)
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
    this.#conduit.toSocket()
    this.#tls = undefined
    this.#pipe = undefined
    this.#records = records
    tls.destroy()
    const passed = takeHandle(pipe.raw)
    this.#conduit = passed === undefined ? new StreamConduit(pipe.raw) : conduitOn(passed.handle)
    this.#conduit.start(this)
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
    this.#framer.reset()
    this.reopen()
    this.#startTls?.(this, this.startHandshake(), this.host?.domainpart)
  }

  // ------------------------------------------------------------------------------------ another process

  depart(): Departed | undefined {
    if (!this.isOpen || this.#isUpgrading || this.#isEnding) return undefined
    this.flush()
    const records = this.#records
    if (this.#tls !== undefined || records?.isMovable === false) return undefined
    const socket = this.#conduit.takeHandle()
    if (socket === undefined) return undefined
    const rest = this.#framer.takeRest()
    const stream = this.#framer.streamContext
    const tls = records?.giveAway()
    this.lost()
    return { socket, rest, ...(stream && { stream }), ...(tls && { tls }) }
  }

  /** Goes on with a stream whose headers were exchanged elsewhere. */
  continueStream(context: StreamContext): void {
    this.#framer.continueStream(context)
    this.isHeaderSent = true
    this.stage = 'negotiating'
  }

  // ------------------------------------------------------------------------------------ input

  onBytes(chunk: Uint8Array): void {
    // What runs at the end of a turn may take the connection out of OpenSSL, and then this would be in clear where records are wanted.
    this.hub.share.beginRead(this.#tls === undefined)
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
    this.#conduit.write(records.sealEnd(error.alert))
    this.destroy()
  }

  onTlsEnd(isError: boolean): void {
    if (isError) this.destroy()
    else this.onEnd()
  }

  onPlaintext(chunk: Uint8Array): void {
    this.noteInput(chunk.length)
    this.shareUsed = 0
    try {
      this.#framer.push(chunk, this)
    } catch (error) {
      this.onReadError(error)
    }
    if (this.holds !== 0 && this.#framer.bufferedBytes > 0) this.#pause()
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
    this.destroy()
  }

  onGone(): void {
    this.lost()
  }

  onDrained(): void {
    this.release(HOLD_OUTPUT)
  }

  protected override applyHolds(): void {
    if (this.#isUpgrading) return
    if (this.holds !== 0) {
      this.#framer.pause()
      // A client that waits for its answer sends nothing, so reading is stopped only when it does: see `onPlaintext`.
      if ((this.holds & ~HOLD_BUSY) !== 0) this.#pause()
      return
    }
    try {
      this.#framer.resume(this)
    } catch (error) {
      this.onReadError(error)
    }
    if (this.holds === 0 && this.#isPaused && !this.#isUpgrading) {
      this.#isPaused = false
      this.#conduit.resume()
    }
  }

  #pause(): void {
    if (this.#isPaused || this.#isUpgrading) return
    this.#isPaused = true
    this.#conduit.pause()
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
    // Checked against what waits below, too, but only once per turn: see `flush`.
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
    const waiting = this.#conduit.waitingBytes
    if (this.stage === 'bound' && waiting + out.length > this.service.outputBytesMax()) {
      this.overflow()
      return
    }
    this.hub.metrics.bytesOut.add(out.length)
    const wire = this.#records === undefined ? out : this.#records.seal(out)
    const mayWait = waiting === 0 && this.#tls === undefined && !this.#isEnding
    if (!mayWait || !this.hub.writes.add(wire, this)) this.#write(wire, waiting)
  }

  get fd(): number {
    return this.#conduit.fd
  }

  writeRest(rest: string | Uint8Array): void {
    this.#write(rest, this.#conduit.waitingBytes)
  }

  /** Stops reading where the peer does not read what it is sent. */
  #write(wire: string | Uint8Array, waiting: number): void {
    const isTaken = this.#conduit.write(wire)
    const isHigh = !isTaken && waiting + wire.length > this.hub.config.limits.outputHighBytes
    if (isHigh && this.isOpen) this.hold(HOLD_OUTPUT)
  }

  protected override endOutput(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    if (this.#isUpgrading) {
      // Nothing can be said in the middle of a TLS handshake.
      this.destroy()
      return
    }
    // What was gathered stands before what is written now.
    this.hub.writes.submit()
    this.flush()
    if (this.#records !== undefined) this.#conduit.write(this.#records.sealEnd())
    this.#conduit.end()
  }

  override destroy(): void {
    this.#conduit.destroy()
    this.lost()
  }

  override restart(): void {
    this.#framer.reset()
    this.reopen()
  }

  override get queuedBytes(): number {
    return this.out.length + this.#conduit.waitingBytes
  }

  override setLimits(limits: XmlLimits): void {
    this.#framer.setLimits(limits)
  }
}
