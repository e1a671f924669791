/**
 * The stanzas of a run: what clients say, and what is concluded from what arrives.
 *
 * A message's body is `sequence due sent target` and then padding; a presence's status is `sequence due sent`: numbers of
 * the checkers, and microseconds since the run began. So every delivery says by itself what it is, when it was due and
 * whom it was meant for, and the server's addressing is checked against it.
 */
import { escapeAttribute } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'
import { MessageChecker } from '../check/message-checker.ts'
import { PairTable } from '../check/pair-table.ts'
import { PresenceChecker } from '../check/presence-checker.ts'
import { Tally } from '../check/violations.ts'
import type { ViolationKind } from '../check/violations.ts'
import type { Recorder } from '../measure/recorder.ts'
import type { Behaviour } from '../model/behaviour.ts'
import type { Population } from '../model/population.ts'
import type { Profile } from '../model/profile.ts'
import type { Client } from '../wire/client.ts'

const CLIENT_NS = 'jabber:client'
/** How many contacts are looked at for one that is online before a message is skipped. */
const RECIPIENT_TRIES_MAX = 64
const SHOWS = ['', '<show>away</show>', '<show>dnd</show>', '<show>xa</show>'] as const
const PADDING = 'x'.repeat(100_000)
const SPACE = 0x20
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** Resourcepart that the `number`th client of a user asks for. */
export function resourceOf(number: number): string {
  return `load-${number}`
}

export class Traffic {
  readonly violations = new Tally<ViolationKind>()
  readonly pairs: PairTable
  readonly messages: MessageChecker
  readonly presences: PresenceChecker
  /** Clients that see everything: they have got their own presence back. */
  readonly isReady: Uint8Array
  readyCount = 0
  /** Messages that were due while nobody could get them. */
  skippedCount = 0
  /** Microseconds since the run began, as of the turn under way. */
  nowUs = 0
  private readonly population: Population
  private readonly behaviour: Behaviour
  private readonly toBareShare: number
  private readonly record: Recorder['record']
  private readonly clientsByJid = new Map<string, number>()
  private readonly bareWires: string[]
  private readonly fullWires: string[] = []
  /** Numbers read from the text under way. */
  private readonly numbers = new Float64Array(4)

  constructor(profile: Profile, population: Population, behaviour: Behaviour, domain: string, record: Recorder['record']) {
    this.population = population
    this.behaviour = behaviour
    this.toBareShare = profile.messages.toBareShare
    this.record = record
    this.pairs = new PairTable(population)
    this.isReady = new Uint8Array(population.clientCount)
    this.bareWires = population.names.map((name) => escapeAttribute(`${name}@${domain}`))
    for (let client = 0; client < population.clientCount; client++) {
      const user = population.clientUsers[client]!
      const jid = `${this.bareWires[user]!}/${resourceOf(client - population.clientStarts[user]!)}`
      this.fullWires.push(jid)
      this.clientsByJid.set(jid, client)
    }
    const nameOf = (client: number): string => this.fullWires[client] ?? `client ${client}`
    this.messages = new MessageChecker(this.pairs, this.violations, nameOf)
    this.presences = new PresenceChecker(this.pairs, population.clientCount, this.violations, nameOf)
  }

  /** The server chose another resource than asked for: it is the client's name from now on. */
  renamed(client: number, jid: string): void {
    if (jid === '' || this.fullWires[client] === jid) return
    this.clientsByJid.delete(this.fullWires[client]!)
    this.fullWires[client] = jid
    this.clientsByJid.set(jid, client)
  }

  /** The wire string of available presence, numbered. */
  presenceWire(client: number, dueUs: number): string {
    const sequence = this.presences.announce(client)
    return `<presence>${SHOWS[sequence & 3]!}<status>${sequence} ${Math.round(dueUs)} ${Math.round(this.nowUs)}</status></presence>`
  }

  /** The client goes, and says so: the wire string of its last presence. */
  unavailableWire(client: number): string {
    const sequence = this.presences.gone(client, this.nowUs)
    this.leave(client)
    return `<presence type='unavailable'><status>${sequence} ${Math.round(this.nowUs)} ${Math.round(this.nowUs)}</status></presence>`
  }

  /** The client is gone without a word. */
  vanished(client: number): void {
    if (this.presences.isAvailable(client)) this.presences.gone(client, this.nowUs)
    this.leave(client)
  }

  /** Sends a message to a contact who is online, drawn from the sender's own stream. */
  sendMessage(sender: Client, dueUs: number): void {
    const draws = this.behaviour.drawsOf(sender.index)
    const start = draws.fraction()
    const isToBare = draws.isChosen(this.toBareShare)
    const bodyBytes = this.behaviour.bodyBytes(sender.index)
    const target = this.recipient(sender.index, start)
    if (target < 0) {
      this.skippedCount++
      return
    }
    const user = this.population.clientUsers[target]!
    const isAlone = this.population.clientStarts[user + 1] === this.population.clientStarts[user]! + 1
    const to = isToBare && isAlone ? this.bareWires[user]! : this.fullWires[target]!
    const sequence = this.messages.next(this.pairs.find(target, sender.index))
    const head = `${sequence} ${Math.round(dueUs)} ${Math.round(this.nowUs)} ${target} `
    const padding = bodyBytes > head.length ? PADDING.substring(0, bodyBytes - head.length) : ''
    sender.send(`<message to='${to}' type='chat' id='m${target}-${sequence}'><body>${head}${padding}</body></message>`)
  }

  messageArrived(client: Client, frame: Frame): void {
    const source = this.sourceOf(frame)
    if (frame.attribute('type') === 'error') return this.errorArrived(client.index, frame)
    const body = frame.findChild('body', CLIENT_NS)
    if (source < 0 || body < 0 || !this.read(frame.childText(body), 4)) {
      this.violations.add('message-stranger', () => `${this.fullWires[client.index]!} got ${frame.elementWire()}`)
      return undefined
    }
    const [sequence = 0, dueUs = 0, sentUs = 0, target = 0] = this.numbers
    // What still arrives at a client that has said goodbye is excused already.
    if (!this.presences.isAvailable(client.index)) return undefined
    const delivery = this.messages.received(client.index, source, target, sequence)
    if (delivery !== 'first' || this.behaviour.isSlowReader[client.index] === 1) return undefined
    this.record('message', this.nowUs - dueUs)
    this.record('message-wire', this.nowUs - sentUs)
    return undefined
  }

  /** Returns true when the presence is the client's own latest: its login, or its return, is complete. */
  presenceArrived(client: Client, frame: Frame): boolean {
    const watcher = client.index
    if (!this.presences.isAvailable(watcher)) return false
    const type = frame.attribute('type')
    if (type !== undefined && type !== 'unavailable') {
      this.violations.add('presence-error', () => `${this.fullWires[watcher]!} got ${frame.elementWire()}`)
      return false
    }
    const source = this.sourceOf(frame)
    if (source < 0) {
      // Some servers answer for contacts who are offline with the bare JID.
      const isOffline = type === 'unavailable' && frame.attributeWire('from')?.includes('/') === false
      if (!isOffline) this.violations.add('presence-stranger', () => `${this.fullWires[watcher]!} got ${frame.elementWire()}`)
      return false
    }
    const status = frame.findChild('status', CLIENT_NS)
    const isNumbered = status >= 0 && this.read(frame.childText(status), 3)
    const [sequence = 0, dueUs = 0] = isNumbered ? this.numbers : []
    return this.stateArrived(watcher, source, type === undefined, sequence, dueUs)
  }

  private stateArrived(watcher: number, source: number, isAvailable: boolean, sequence: number, dueUs: number): boolean {
    const isFast = watcher !== source && this.behaviour.isSlowReader[watcher] === 0
    if (!isAvailable) {
      const isTimed = this.presences.unavailableReceived(watcher, source, sequence)
      if (isTimed && isFast) this.record('unavailable', this.nowUs - this.presences.downSince(source))
      return false
    }
    const isTimed = this.presences.availableReceived(watcher, source, sequence, dueUs)
    if (isTimed && isFast) this.record('presence', this.nowUs - dueUs)
    if (watcher !== source || this.isReady[watcher] === 1 || !this.presences.isLatest(source, sequence)) return false
    this.isReady[watcher] = 1
    this.readyCount++
    this.presences.ready(watcher, this.nowUs)
    return true
  }

  private errorArrived(source: number, frame: Frame): void {
    const [, target, sequence] = /^m(\d+)-(\d+)$/.exec(frame.attribute('id') ?? '') ?? []
    if (target === undefined) this.violations.add('message-error', () => `${this.fullWires[source]!} got ${frame.elementWire()}`)
    else this.messages.bounced(source, Number(target), Number(sequence))
  }

  private leave(client: number): void {
    if (this.isReady[client] === 1) this.readyCount--
    this.isReady[client] = 0
    this.messages.receiverGone(client)
  }

  /** A ready client of a contact, from the place `start` (0 to 1) of the sender's row on; -1 when there is none near. */
  private recipient(sender: number, start: number): number {
    const { starts, sources } = this.pairs
    const first = starts[sender]!
    const length = starts[sender + 1]! - first
    const user = this.population.clientUsers[sender]!
    const tries = Math.min(length, RECIPIENT_TRIES_MAX)
    let at = Math.floor(start * length)
    for (let tried = 0; tried < tries; tried++) {
      const client = sources[first + at]!
      if (this.isReady[client] === 1 && this.population.clientUsers[client] !== user) return client
      at = at + 1 === length ? 0 : at + 1
    }
    return -1
  }

  private sourceOf(frame: Frame): number {
    const from = frame.attributeWire('from')
    return from === undefined ? -1 : this.clientsByJid.get(from) ?? -1
  }

  /** Reads `count` numbers, each followed by a space or the end, into `numbers`; false when the text is not such. */
  private read(text: string, count: number): boolean {
    let at = 0
    for (let number = 0; number < count; number++) {
      let value = 0
      const from = at
      for (; at < text.length; at++) {
        const digit = text.charCodeAt(at)
        if (digit < DIGIT_0 || digit > DIGIT_9) break
        value = value * 10 + digit - DIGIT_0
      }
      if (at === from || (at < text.length && text.charCodeAt(at) !== SPACE)) return false
      this.numbers[number] = value
      at++
    }
    return true
  }
}
