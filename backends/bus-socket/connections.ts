/**
 * How members find each other and make the two connections of a link.
 *
 * Every member listens on a socket named by its id, and connects to every other to *read* from it: data flow from the one
 * who accepted to the one who connected, so that all reads go through one shared buffer, which Node offers to the
 * connecting side alone. Who is connected to connects back at once, so a new member needs to look into the directory once;
 * all look again from time to time for peers whose connection broke.
 */
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Clock, Log, MemberId, Timer } from '@rollcall/ports'
import { helloRecord, readHello } from './hello.ts'
import type { PeerInfo } from './hello.ts'
import type { Link } from './link.ts'
import { MARK, RecordStream } from './records.ts'
import { clearStale, membersIn, prepareDirectory, socketPath } from './run-directory.ts'

const READ_BYTES = 64 * 1024
const HELLO_TIMEOUT_MS = 5000
/** Connections that may wait for their hello or be up; two for each peer are ordinary. */
const CONNECTIONS_MAX = 1024

export interface ConnectionsPorts {
  readonly own: PeerInfo
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  /** How often the directory is looked at for peers that are not connected. */
  readonly lookMs: number
  isPeer(member: MemberId): boolean
  /** The link that a connection with that process of a peer belongs to. */
  linkFor(peer: PeerInfo, direction: 'inbound' | 'outbound'): Link
  linkOf(member: MemberId): Link | undefined
}

export class Connections {
  readonly #ports: ConnectionsPorts
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #connecting = new Set<MemberId>()
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
  #look: Timer | undefined
  #isClosed = false

  constructor(ports: ConnectionsPorts) {
    this.#ports = ports
    this.#server = createServer(socket => this.#accept(socket))
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  /** Listens, and tries every peer in the directory once; rejects when the directory or the id cannot be used. */
  async open(): Promise<void> {
    const { own, directory, clock, log, lookMs } = this.#ports
    await prepareDirectory(directory)
    const path = socketPath(directory, own.memberId)
    await clearStale(path)
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(path, () => {
        this.#server.off('error', reject)
        this.#server.on('error', error => log.error('bus-listener-failed', { error }))
        resolve()
      })
    })
    await this.#connectAll()
    this.#look = clock.every(lookMs, () => void this.#connectAll())
  }

  async #connectAll(): Promise<void> {
    const { own, directory, log, isPeer } = this.#ports
    try {
      const members = await membersIn(directory)
      await Promise.all(members.filter(member => member !== own.memberId && isPeer(member)).map(async member => this.connectTo(member)))
    } catch (error) {
      log.error('bus-directory-unreadable', { directory, error })
    }
  }

  /** Connects to a peer unless that is done or under way; resolves when there is a connection or none can be had. */
  async connectTo(member: MemberId): Promise<void> {
    if (this.#isClosed || this.#connecting.has(member) || this.#ports.linkOf(member)?.hasInbound) return
    this.#connecting.add(member)
    try {
      await new Promise<void>((resolve) => this.#connect(member, resolve))
    } finally {
      this.#connecting.delete(member)
    }
  }

  #connect(member: MemberId, settled: () => void): void {
    const { own, directory } = this.#ports
    let link: Link | undefined
    const stream = new RecordStream((mark, reader) => {
      if (link !== undefined) return link.receive(mark, reader)
      const peer = this.#readHello(mark, reader.rest())
      if (peer.memberId !== member) throw new Error(`${peer.memberId} listens in the place of ${member}`)
      link = this.#ports.linkFor(peer, 'inbound')
      greeted()
      link.setInbound(socket)
      settled()
      return !link.isEnded
    })
    const buffer = this.#readBuffer
    const callback = (size: number): boolean => {
      this.#feed(socket, stream, buffer.toString('latin1', 0, size))
      return true
    }
    const socket = connect({ path: socketPath(directory, member), onread: { buffer, callback } })
    const greeted = this.#watch(socket, (why) => {
      link?.end(why)
      settled()
    })
    // `onread` takes the place of 'data'; without a reader 'end' would never be seen.
    socket.once('end', () => socket.destroy())
    socket.resume()
    socket.write(helloRecord(own, member), 'latin1')
  }

  #accept(socket: Socket): void {
    if (this.#isClosed) return void socket.destroy()
    let link: Link | undefined
    const stream = new RecordStream((mark, reader) => {
      // Whoever connects only reads; anything it says after its hello is of a later version.
      if (link !== undefined) return true
      const peer = this.#readHello(mark, reader.rest())
      socket.write(helloRecord(this.#ports.own, peer.memberId), 'latin1')
      link = this.#ports.linkFor(peer, 'outbound')
      greeted()
      link.setOutbound(socket)
      void this.connectTo(peer.memberId)
      return true
    })
    const greeted = this.#watch(socket, why => link?.outboundEnded(why))
    socket.on('data', (bytes: Buffer) => this.#feed(socket, stream, bytes.toString('latin1')))
  }

  /** Ends are told once, and a peer that does not introduce itself in time is not waited for; returns what stops the wait. */
  #watch(socket: Socket, ended: (why: string) => void): () => void {
    this.#sockets.add(socket)
    let why = 'it closed the connection'
    const timer = this.#ports.clock.after(HELLO_TIMEOUT_MS, () => socket.destroy(new Error('no hello')))
    socket.on('error', (error: Error) => void (why = error.message))
    socket.once('close', () => {
      timer.cancel()
      this.#sockets.delete(socket)
      ended(why)
    })
    return () => timer.cancel()
  }

  #readHello(mark: number, text: string): PeerInfo {
    if (mark !== MARK.hello) throw new Error('no hello')
    return readHello(text, this.#ports.own.memberId)
  }

  #feed(socket: Socket, stream: RecordStream, chunk: string): void {
    if (socket.destroyed) return
    try {
      stream.feed(chunk)
    } catch (error) {
      this.#ports.log.warn('bus-peer-refused', { error })
      socket.destroy(error as Error)
    }
  }

  /** Ends listening and looking; connections are left to their links. */
  stopGrowing(): void {
    this.#isClosed = true
    this.#look?.cancel()
    this.#server.close()
  }

  /** Ends every connection; resolves when the socket's file is gone. */
  async close(): Promise<void> {
    this.stopGrowing()
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => {
      if (this.#server.listening) this.#server.once('close', resolve)
      else resolve()
    })
  }
}
