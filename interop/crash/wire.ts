/**
 * What carries a device's stream: TCP, or WebSocket with one element per message (RFC 7395).
 *
 * Both are made over a socket of ours, so that a device can stop reading, cut the connection behind what it wrote, or let
 * the network swallow it, whichever it speaks. It connects from an address of its own: from the server's one a client might
 * be given the very port that the server is about to listen on again, or connect to itself.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { defaultLimits, scanDocument, StreamFramer } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'
import { WebSocket } from 'ws'
import { NS, streamHeader } from './names.ts'

const SOURCE_ADDRESS = '127.0.0.2'
const SERVER_ADDRESS = '127.0.0.1'
const LIMITS = { ...defaultLimits, elementBytesMax: 1_048_576 }

export type Transport = 'tcp' | 'websocket'

export interface WireEvents {
  /** The connection stands: a stream can be opened. */
  connected(): void
  /** A first-level element; the frame is valid only during the call. */
  element(frame: Frame): void
  /** The server ended the stream. */
  ended(): void
  /** What came is no XMPP. */
  broken(error: unknown): void
  closed(): void
}

export interface Wire {
  /** Opens a stream to `domain`, or the next one after SASL. */
  openStream(domain: string): void
  /** Sends elements, each a text of its own. */
  write(...elements: readonly string[]): void
  /** Ends the stream in order, behind what was written. */
  end(): void
  /** Ends the connection behind what was written. */
  destroySoon(): void
  destroy(): void
  pause(): void
  resume(): void
}

/** Connects to the server's port. */
export function openWire(transport: Transport, port: number, events: WireEvents): Wire {
  const socket = connect({ host: SERVER_ADDRESS, port, localAddress: SOURCE_ADDRESS, noDelay: true })
  // The close that follows is what counts.
  socket.on('error', () => {})
  socket.on('close', () => events.closed())
  return transport === 'tcp' ? new TcpWire(socket, events) : new WebSocketWire(socket, port, events)
}

class TcpWire implements Wire {
  readonly #socket: Socket
  readonly #framer = new StreamFramer(LIMITS)
  #hasStream = false

  constructor(socket: Socket, events: WireEvents) {
    this.#socket = socket
    socket.on('connect', () => events.connected())
    const sink = { streamOpen: () => {}, streamClose: () => events.ended(), element: (frame: Frame) => events.element(frame) }
    socket.on('data', (bytes: Buffer) => {
      try {
        this.#framer.push(bytes, sink)
      } catch (error) {
        events.broken(error)
        socket.destroy()
      }
    })
  }

  openStream(domain: string): void {
    if (this.#hasStream) this.#framer.reset()
    this.#hasStream = true
    this.#socket.write(streamHeader(domain))
  }

  write(...elements: readonly string[]): void {
    this.#socket.write(elements.join(''))
  }

  end(): void {
    this.#socket.end('</stream:stream>')
  }

  destroySoon(): void {
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }
}

class WebSocketWire implements Wire {
  readonly #socket: Socket
  readonly #webSocket: WebSocket

  constructor(socket: Socket, port: number, events: WireEvents) {
    this.#socket = socket
    this.#webSocket = new WebSocket(`ws://${SERVER_ADDRESS}:${port}/ws`, ['xmpp'], {
      perMessageDeflate: false, createConnection: (() => socket) as unknown as typeof connect,
    })
    this.#webSocket.on('open', () => events.connected())
    this.#webSocket.on('error', () => socket.destroy())
    this.#webSocket.on('message', (bytes: Buffer) => {
      try {
        const frame = scanDocument(bytes, LIMITS)
        if (frame.ns !== NS.framing) events.element(frame)
        else if (frame.name === 'close') events.ended()
      } catch (error) {
        events.broken(error)
        socket.destroy()
      }
    })
  }

  openStream(domain: string): void {
    this.#send(`<open xmlns='${NS.framing}' to='${domain}' version='1.0'/>`)
  }

  write(...elements: readonly string[]): void {
    for (const element of elements) this.#send(element.replace(/^<(message|presence|iq)/, `<$1 xmlns='${NS.client}'`))
  }

  end(): void {
    this.#send(`<close xmlns='${NS.framing}'/>`)
    this.#webSocket.close()
  }

  destroySoon(): void {
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  #send(element: string): void {
    if (this.#webSocket.readyState === WebSocket.OPEN) this.#webSocket.send(element)
  }
}
