/**
 * XMPP over WebSocket (RFC 7395): every message of the peer is one element, every element of ours one message.
 *
 * Frames, masks, fragments, pings and UTF-8 are the work of `ws`; messages come as bytes, because the scanner wants bytes.
 * What is sent in one turn leaves in one write: the raw socket is corked until the flush.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { NS_CLIENT } from '@rollcall/stanza'
import { scanDocument, XmlError } from '@rollcall/xml'
import type { Frame, XmlLimits } from '@rollcall/xml'
import { WebSocket, WebSocketServer } from 'ws'
import { Connection } from './connection.ts'
import type { StreamService } from './connection.ts'
import { openingOf } from './header-rules.ts'
import { UNAVAILABLE } from './http-routes.ts'
import type { HttpRequestFacts } from './http-routes.ts'
import type { Hub } from './hub.ts'
import { HOLD_OUTPUT } from './stages.ts'
import { headerAttributes, NS_FRAMING, NS_STREAM, streamErrorWire } from './stream-wire.ts'
import type { OwnHeader, StreamFault } from './stream-wire.ts'

const CONNECTION = Symbol('connection')
type OwnedSocket = WebSocket & { [CONNECTION]?: WebSocketConnection }

/** RFC 6455 §7.4.1. */
const CLOSE_NORMAL = 1000
const CLOSE_UNSUPPORTED = 1003
/** A frame header that we send is at most this long. */
const FRAME_HEADER_BYTES = 10
const STREAM_DECLARATION = ` xmlns:stream='${NS_STREAM}'`

/** Upgrades HTTP requests and gives each WebSocket its connection. */
export class WebSockets {
  readonly #hub: Hub
  readonly #service: StreamService
  readonly #server: WebSocketServer

  constructor(hub: Hub, service: StreamService) {
    this.#hub = hub
    this.#service = service
    this.#server = new WebSocketServer({
      noServer: true,
      // Compression would hold 300 KiB a connection and leak secrets through lengths.
      perMessageDeflate: false,
      maxPayload: hub.config.limits.stanzaBytesMax,
      handleProtocols: (protocols) => (protocols.has('xmpp') ? 'xmpp' : false),
      clientTracking: false,
    })
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, facts: HttpRequestFacts): void {
    const { origins } = this.#hub.config.http.websocket
    const { origin } = request.headers
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
    if (origin !== undefined && origins.length > 0 && !origins.includes(origin)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    // RFC 7395 §3.1: without the subprotocol this is not XMPP.
    if (!offered.includes('xmpp')) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    const { admission, guard, ports, metrics } = this.#hub
    // The HTTP connection was let in before.
    if (admission.isRefusing) {
      metrics.accepted('overload')
      socket.end(UNAVAILABLE)
      return
    }
    if (facts.isProxied && !guard.enter(facts.address, ports.clock.monotonic())) {
      metrics.accepted('address-limit')
      socket.end(UNAVAILABLE)
      return
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#hub.add(new WebSocketConnection(this.#hub, this.#service, facts, webSocket, socket))
    })
  }
}

export class WebSocketConnection extends Connection {
  readonly transport = 'websocket' as const
  readonly isSecure: boolean
  readonly #socket: OwnedSocket
  readonly #raw: Duplex
  readonly #isProxied: boolean
  #limits: XmlLimits
  #isCorked = false
  #isEnding = false
  #isAlive = true
  /** Messages that came while held, oldest first. */
  #waiting: Uint8Array[] | undefined

  constructor(hub: Hub, service: StreamService, facts: HttpRequestFacts, socket: WebSocket, raw: Duplex) {
    super(hub, service, facts.address)
    this.isSecure = facts.isSecure
    this.#socket = socket
    this.#raw = raw
    this.#isProxied = facts.isProxied
    this.#limits = hub.preAuthLimits
    this.#socket[CONNECTION] = this
    socket.on('message', onMessage)
    socket.on('close', onClose)
    socket.on('error', onError)
    socket.on('pong', onPong)
  }

  // ------------------------------------------------------------------------------------ input

  onText(bytes: Uint8Array): void {
    // Of a message that is whole nothing is half-way, not in `ws` either; whatever runs now may end or hold this connection.
    this.hub.share.beginRead()
    this.noteInput(bytes.length)
    if (this.holds === 0) {
      this.#read(bytes)
      return
    }
    this.#waiting ??= []
    // Once bound, what comes while held is what had been read when the socket was paused.
    if (this.#waiting.push(bytes) > this.hub.config.limits.pendingElementsMax && this.stage !== 'bound') {
      this.fail({ condition: 'policy-violation', text: 'too much sent unasked' })
    }
  }

  /** RFC 7395 §3.2: only text is XMPP. */
  onBinary(): void {
    this.#socket.close(CLOSE_UNSUPPORTED)
    this.lost()
  }

  #read(bytes: Uint8Array): void {
    if (this.stage === 'closed') return
    try {
      const frame = scanDocument(bytes, this.#limits)
      if (frame.ns === NS_FRAMING) this.#framing(frame)
      else if (this.stage !== 'header') this.receive(frame)
      else if (frame.name === 'stream' && frame.ns === NS_STREAM) throw new XmlError('invalid-namespace', 'RFC 7395 wants <open/>')
      else this.fail({ condition: frame.ns === '' ? 'invalid-namespace' : 'not-authorized' })
    } catch (error) {
      this.onReadError(error)
    }
  }

  #framing(frame: Frame): void {
    if (frame.name === 'open') {
      if (this.isOpen) this.service.opening(this, openingOf(frame.attributes()))
    } else if (frame.name === 'close') this.peerClosed()
    else this.fail({ condition: 'bad-format' })
  }

  protected override applyHolds(): void {
    if (this.holds !== 0) {
      this.#socket.pause()
      return
    }
    while (this.holds === 0) {
      const next = this.#waiting?.shift()
      if (next === undefined) break
      this.#read(next)
    }
    if (this.holds === 0) {
      this.#waiting = undefined
      this.#socket.resume()
    }
  }

  onPong(): void {
    this.lastInputMs = this.hub.nowMs
    this.#isAlive = true
  }

  onGone(): void {
    this.lost()
  }

  // ------------------------------------------------------------------------------------ output

  protected override writeHeader(header: OwnHeader): void {
    this.#send(`<open xmlns='${NS_FRAMING}'${headerAttributes(header)}/>`)
  }

  protected override writeFault(fault: StreamFault): void {
    this.#send(streamErrorWire(fault, STREAM_DECLARATION))
  }

  protected override writeClose(): void {
    this.#send(`<close xmlns='${NS_FRAMING}'/>`)
  }

  protected override writeKeepalive(): void {
    // RFC 6455 §5.5.2: whoever still is there has answered the last one.
    if (!this.#isAlive) {
      this.fail({ condition: 'connection-timeout' })
      return
    }
    this.#isAlive = false
    this.#socket.ping()
  }

  protected override get keepaliveMs(): number {
    return this.hub.config.http.websocket.pingMs
  }

  override sendControl(wire: string): void {
    this.#send(wire.startsWith('<stream:') ? declareStream(wire) : wire)
  }

  override sendStanza(wire: string): void {
    this.#send(inClientNamespace(wire))
    if (this.queuedBytes > this.service.outputBytesMax()) this.overflow()
  }

  protected override sendPresence(wire: string): void {
    if (this.#socket.readyState === WebSocket.OPEN && !this.isDirty && !this.isGathering) this.hub.gather(this)
    this.#write(inClientNamespace(wire))
    if (this.queuedBytes > this.service.outputBytesMax()) this.overflow()
  }

  #send(wire: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.hub.markDirty(this)
    this.#write(wire)
  }

  #write(wire: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#raw.cork()
    }
    this.hub.metrics.bytesOut.add(wire.length + FRAME_HEADER_BYTES)
    this.#socket.send(Buffer.from(wire, 'latin1'), { binary: false })
  }

  override flush(): void {
    if (this.#isCorked) {
      this.#isCorked = false
      this.#raw.uncork()
    }
    if (this.queuedBytes > this.hub.config.limits.outputHighBytes && this.isOpen && (this.holds & HOLD_OUTPUT) === 0) {
      this.hold(HOLD_OUTPUT)
      this.#raw.once('drain', () => this.release(HOLD_OUTPUT))
    }
  }

  protected override endOutput(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.flush()
    this.#socket.close(CLOSE_NORMAL)
  }

  override destroy(): void {
    this.#socket.terminate()
    this.lost()
  }

  protected override released(): void {
    if (this.#isProxied) this.hub.guard.leave(this.address)
  }

  override restart(): void {
    this.reopen()
  }

  override get queuedBytes(): number {
    return this.#socket.bufferedAmount
  }

  override setLimits(limits: XmlLimits): void {
    this.#limits = limits
  }
}

/** RFC 7395 §3.3.3: each message stands alone, so a stanza names its namespace itself. */
export function inClientNamespace(wire: string): string {
  const end = wire.startsWith('<iq') ? 3 : wire.startsWith('<message') ? 8 : wire.startsWith('<presence') ? 9 : 0
  return end === 0 ? wire : `${wire.slice(0, end)} xmlns='${NS_CLIENT}'${wire.slice(end)}`
}

/** Declares the prefix that a stream header would have declared, on an element that starts with it. */
export function declareStream(wire: string): string {
  const nameEnd = wire.search(/[\s/>]/)
  return `${wire.slice(0, nameEnd)}${STREAM_DECLARATION}${wire.slice(nameEnd)}`
}

function onMessage(this: OwnedSocket, data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean): void {
  const connection = this[CONNECTION]
  if (connection === undefined) return
  if (isBinary) connection.onBinary()
  // With the default binaryType a message is one Buffer.
  else if (Buffer.isBuffer(data)) connection.onText(data)
}

function onPong(this: OwnedSocket): void {
  this[CONNECTION]?.onPong()
}

function onClose(this: OwnedSocket): void {
  this[CONNECTION]?.onGone()
}

/** `close` follows. */
function onError(this: OwnedSocket): void {
  this.terminate()
}
