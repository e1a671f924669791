/**
 * A server that knows just enough XMPP for the load tool, and that can be told to do one thing wrong: it proves that the
 * checks notice. Not a model of a good server: everything is in memory and nothing is validated.
 */
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { defaultLimits, StreamFramer } from '@rollcall/xml'
import type { Frame, FrameSink } from '@rollcall/xml'
import type { Account } from '../model/accounts.ts'

/** What goes wrong, once unless said otherwise. */
export type Fault =
  | 'none'
  | 'message-dropped'
  | 'message-doubled'
  | 'message-overtaken'
  | 'message-to-another'
  | 'message-returned'
  | 'message-from-another'
  /** One watcher gets nothing of one contact from some moment on. */
  | 'presence-dropped'
  | 'presence-doubled'
  | 'presence-stale'
  | 'presence-of-stranger'
  | 'presence-error'
  /** Those who are cut off stay available for everybody. */
  | 'ghosts'
  | 'roster-short'
  | 'login-refused'
  /** The first connections are told to come back later. */
  | 'busy-at-first'
  | 'connection-dropped'

const DOMAIN = 'capulet.example'
/** Faults begin when so many of their kind have been done right. */
const GOOD_FIRST = 20
/** Connections that are turned away by one who is busy at first: as many as a run of so many people gives up after. */
export const BUSY_FIRST = 14

export class FakeServer {
  /** Bare names to full JIDs that are available, with their connection. */
  readonly available = new Map<string, Map<string, Connection>>()
  readonly accounts: ReadonlyMap<string, Account>
  /** The fault still to be done; becomes `none` when it has been. */
  fault: Fault
  messageCount = 0
  /** Whom each sender has written to, in order. */
  readonly sent = new Map<string, string[]>()
  presenceCount = 0
  turnedAwayCount = 0
  held: { readonly pair: string; readonly deliver: () => void } | undefined
  /** Watcher and contact between whom presence is dropped. */
  silenced: string | undefined
  private readonly server: Server
  private readonly connections = new Set<Connection>()

  constructor(accounts: readonly Account[], fault: Fault) {
    this.accounts = new Map(accounts.map((account) => [account.name, account]))
    this.fault = fault
    this.server = createServer((socket) => {
      const connection: Connection = new Connection(this, socket)
      this.connections.add(connection)
      socket.on('close', () => this.connections.delete(connection))
    })
  }

  /** Resolves with the port on 127.0.0.1. */
  async start(): Promise<number> {
    await new Promise<void>((resolve) => { this.server.listen(0, '127.0.0.1', resolve) })
    return (this.server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    for (const connection of this.connections) connection.socket.destroy()
    await new Promise((resolve) => { this.server.close(resolve) })
  }

  isDue(fault: Fault, done: number): boolean {
    if (this.fault !== fault || done < GOOD_FIRST) return false
    this.fault = 'none'
    return true
  }

  sessionsOf(name: string): readonly Connection[] {
    return [...(this.available.get(name)?.values() ?? [])]
  }

  route(from: Connection, frame: Frame): void {
    const to = frame.attribute('to') ?? ''
    const name = nameOf(to)
    const target = this.available.get(name)?.get(to) ?? this.sessionsOf(name)[0]
    if (target === undefined) return
    const wire = `<message from='${from.jid}' to='${to}' type='chat' id='${frame.attribute('id') ?? ''}'>${frame.contentWire()}</message>`
    const pair = `${from.jid} ${to}`
    this.messageCount++
    this.sent.set(from.jid, [...(this.sent.get(from.jid) ?? []), to])
    if (this.isDue('message-dropped', this.messageCount)) return
    if (this.isDue('message-doubled', this.messageCount)) target.write(wire)
    if (this.isDue('message-from-another', this.messageCount)) return target.write(wire.replace(from.jid, target.jid))
    if (this.isDue('message-to-another', this.messageCount)) {
      const other = [...this.available.keys()].find((user) => user !== name && user !== from.name && !this.areContacts(user, from.name))
      return this.sessionsOf(other ?? '')[0]?.write(wire)
    }
    if (this.isDue('message-returned', this.messageCount)) {
      return from.write(`<message from='${to}' to='${from.jid}' type='error' id='${frame.attribute('id') ?? ''}'><error type='cancel'/></message>`)
    }
    if (this.isDue('message-overtaken', this.messageCount)) {
      this.held = { pair, deliver: () => target.write(wire) }
      return
    }
    target.write(wire)
    if (this.held?.pair !== pair) return
    this.held.deliver()
    this.held = undefined
  }

  /** Presence of a session to everybody who may see it, its own user's sessions included. */
  broadcast(from: Connection, wire: string): void {
    for (const name of [from.name, ...(this.accounts.get(from.name)?.contacts ?? [])]) {
      for (const watcher of this.sessionsOf(name)) this.show(watcher, from, wire)
    }
  }

  private show(watcher: Connection, from: Connection, wire: string): void {
    const pair = `${watcher.jid} ${from.jid}`
    if (watcher === from) return watcher.write(wire)
    this.presenceCount++
    if (this.silenced === pair) return
    if (watcher.isSettled && this.isDue('presence-dropped', this.presenceCount)) {
      this.silenced = pair
      return
    }
    const before = watcher.shown.get(from.jid)
    watcher.shown.set(from.jid, wire)
    watcher.write(wire)
    if (watcher.isSettled && this.isDue('presence-doubled', this.presenceCount)) watcher.write(wire)
    if (before !== undefined && this.isDue('presence-stale', this.presenceCount)) watcher.write(before)
    if (this.isDue('presence-error', this.presenceCount)) watcher.write(`<presence from='${from.jid}' type='error'/>`)
    if (this.isDue('presence-of-stranger', this.presenceCount)) {
      const stranger = [...this.accounts.keys()].find((name) => name !== watcher.name && !this.areContacts(name, watcher.name)) ?? ''
      watcher.write(`<presence from='${stranger}@${DOMAIN}/load-0'><status>1 1 1</status></presence>`)
    }
    if (this.isDue('connection-dropped', this.presenceCount)) watcher.socket.destroy()
  }

  private areContacts(name: string, other: string): boolean {
    return this.accounts.get(name)?.contacts.includes(other) === true
  }
}

class Connection implements FrameSink {
  readonly socket: Socket
  jid = ''
  name = ''
  presence = ''
  /** It has had time to read what its login brought. */
  isSettled = false
  /** What was last shown of whom. */
  readonly shown = new Map<string, string>()
  private readonly server: FakeServer
  private readonly framer = new StreamFramer(defaultLimits)

  constructor(server: FakeServer, socket: Socket) {
    this.server = server
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.framer.push(chunk, this))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.server.fault !== 'ghosts') this.leave(`<presence from='${this.jid}' type='unavailable'/>`)
    })
  }

  write(wire: string): void {
    if (!this.socket.destroyed) this.socket.write(wire, 'latin1')
  }

  streamOpen(): void {
    const features = this.name === ''
      ? `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`
      : `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`
    const declarations = `xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'`
    this.write(`<?xml version='1.0'?><stream:stream from='${DOMAIN}' id='s' version='1.0' ${declarations}>`)
    if (this.server.fault === 'busy-at-first') {
      if (++this.server.turnedAwayCount === BUSY_FIRST) this.server.fault = 'none'
      this.socket.end(`<stream:error><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`)
      return
    }
    this.write(`<stream:features>${features}</stream:features>`)
  }

  streamClose(): void {
    this.socket.end('</stream:stream>')
  }

  element(frame: Frame): void {
    switch (frame.name) {
      case 'auth':
        return this.authenticate(frame)
      case 'iq':
        return this.iq(frame)
      case 'message':
        return this.server.route(this, frame)
      default:
        return this.presenceOf(frame)
    }
  }

  private authenticate(frame: Frame): void {
    const [, name = ''] = Buffer.from(frame.text(), 'base64').toString().split('\0')
    if (this.server.fault === 'login-refused') return this.write(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>`)
    this.name = name
    this.framer.reset()
    return this.write(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  }

  private iq(frame: Frame): void {
    const id = frame.attribute('id') ?? ''
    if (frame.childName(0) === 'bind') {
      this.jid = `${this.name}@${DOMAIN}/${frame.childElement(0).childText('resource') ?? ''}`
      return this.write(`<iq type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${this.jid}</jid></bind></iq>`)
    }
    let contacts = this.server.accounts.get(this.name)?.contacts ?? []
    if (this.server.fault === 'roster-short' && contacts.length > 0) {
      this.server.fault = 'none'
      contacts = contacts.slice(1)
    }
    const items = contacts.map((contact) => `<item jid='${contact}@${DOMAIN}' subscription='both'/>`)
    return this.write(`<iq type='result' id='${id}'><query xmlns='jabber:iq:roster'>${items.join('')}</query></iq>`)
  }

  private presenceOf(frame: Frame): void {
    const type = frame.attribute('type')
    const wire = `<presence from='${this.jid}'${type === undefined ? '' : ` type='${type}'`}>${frame.contentWire()}</presence>`
    if (type === 'unavailable') return this.leave(wire)
    const isInitial = this.presence === ''
    this.presence = wire
    const sessions = this.server.available.get(this.name) ?? new Map<string, Connection>()
    this.server.available.set(this.name, sessions.set(this.jid, this))
    this.server.broadcast(this, wire)
    if (!isInitial) return undefined
    for (const contact of [this.name, ...(this.server.accounts.get(this.name)?.contacts ?? [])]) {
      for (const session of this.server.sessionsOf(contact)) if (session !== this) this.answerProbe(session)
    }
    setTimeout(() => { this.isSettled = true }, 300).unref()
    return undefined
  }

  private answerProbe(session: Connection): void {
    this.shown.set(session.jid, session.presence)
    this.write(session.presence)
  }

  private leave(wire: string): void {
    const sessions = this.server.available.get(this.name)
    if (sessions?.get(this.jid) !== this) return
    this.presence = ''
    sessions.delete(this.jid)
    this.server.broadcast(this, wire)
  }
}

function nameOf(jid: string): string {
  return jid.slice(0, jid.indexOf('@'))
}
