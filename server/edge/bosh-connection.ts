/**
 * One BOSH session: a stream made of HTTP requests that may come out of order, twice, or not at all (XEP-0124).
 *
 * Requests wait in `#pending` until all before them have come; then their payloads run as a queue of tasks, because a
 * payload may have to wait for the core. Responses go out in the order of the requests: what is sent is gathered like on
 * any connection and goes out on the oldest request held. The last responses are kept, for a client that lost one.
 */
import { createHash } from 'node:crypto'
import { NS_CLIENT } from '@rollcall/stanza'
import { scanFragment } from '@rollcall/xml'
import type { Frame, XmlLimits } from '@rollcall/xml'
import { bodyWire, NS_XBOSH, terminateBody } from './bosh-wire.ts'
import type { BoshCondition, BoshReply } from './bosh-wire.ts'
import { Connection } from './connection.ts'
import type { StreamService } from './connection.ts'
import type { HttpRequestFacts } from './http-routes.ts'
import type { Hub } from './hub.ts'
import { streamErrorWire } from './stream-wire.ts'
import type { OwnHeader, StreamFault } from './stream-wire.ts'
import { inClientNamespace } from './websockets.ts'

/** A request not answered yet. */
interface Held {
  readonly rid: number
  readonly sinceMs: number
  reply: BoshReply
}

interface Pending {
  readonly frame: Frame
  readonly byteLength: number
  reply: BoshReply
}

type Task =
  | { readonly kind: 'payload'; readonly frame: Frame }
  | { readonly kind: 'restart'; readonly frame: Frame }
  | { readonly kind: 'terminate' }

export class BoshConnection extends Connection {
  readonly transport = 'bosh' as const
  readonly isSecure: boolean
  readonly #sid: string
  readonly #forget: () => void
  readonly #waitMs: number
  readonly #holdMax: number
  #nextRid: number
  readonly #pending = new Map<number, Pending>()
  readonly #tasks: Task[] = []
  #held: Held[] = []
  /** The last responses, oldest first. */
  readonly #sent: { readonly rid: number; readonly wire: string }[] = []
  /** Attributes for the next body. */
  #attributes = ''
  #lastAnswerMs: number
  #inactivityMs: number
  #limits: XmlLimits
  /** SHA-1 of the next key (XEP-0124 §15), once the client uses keys. */
  #key: string | undefined
  #lastEmptyMs = -Infinity
  #ending: { readonly condition: BoshCondition | undefined } | undefined
  #condition: BoshCondition | undefined

  constructor(
    hub: Hub, service: StreamService, facts: HttpRequestFacts, sid: string, rid: number, first: Frame, forget: () => void,
  ) {
    super(hub, service, facts.address)
    const { bosh } = hub.config.http
    this.isSecure = facts.isSecure
    this.#sid = sid
    this.#forget = forget
    this.#nextRid = rid
    const wait = Math.min(readCount(first, 'wait', bosh.waitMaxSeconds), bosh.waitMaxSeconds)
    this.#waitMs = wait * 1000
    this.#holdMax = wait === 0 ? 0 : Math.min(readCount(first, 'hold', 1), bosh.holdMax)
    this.#inactivityMs = bosh.inactivitySeconds * 1000
    this.#lastAnswerMs = this.acceptedMs
    this.#limits = hub.preAuthLimits
    this.#attributes = ` sid='${sid}' wait='${wait}' requests='${this.#requestsMax}' hold='${this.#holdMax}'`
      + ` inactivity='${bosh.inactivitySeconds}' polling='${bosh.pollingSeconds}' maxpause='${bosh.pauseMaxSeconds}'`
      + ` ver='1.11' xmlns:xmpp='${NS_XBOSH}' xmpp:restartlogic='true'`
  }

  /** Requests that the client may have under way. */
  get #requestsMax(): number {
    return this.#holdMax + 1
  }

  // ------------------------------------------------------------------------------------ requests

  /** A request for this session, well-formed, with the rid. */
  onRequest(rid: number, frame: Frame, byteLength: number, reply: BoshReply): void {
    this.lastInputMs = this.hub.nowMs
    reply.onLost(() => this.#lose(reply))
    if (this.#ending !== undefined) {
      this.#answerEnd(reply)
      return
    }
    if (rid < this.#nextRid) {
      this.#repeat(rid, reply)
      return
    }
    // One more than the window may be there, to pause or to terminate (XEP-0124 §11).
    if (rid > this.#nextRid + this.#requestsMax) {
      this.#end('item-not-found', reply)
      return
    }
    const earlier = this.#pending.get(rid)
    if (earlier !== undefined) earlier.reply.send(bodyWire(" type='error'", ''))
    this.#pending.set(rid, { frame, byteLength, reply })
    this.#run()
  }

  /** XEP-0124 §14.3: the request came before. */
  #repeat(rid: number, reply: BoshReply): void {
    const held = this.#held.find((one) => one.rid === rid)
    if (held !== undefined) {
      held.reply.send(bodyWire(" type='error'", ''))
      held.reply = reply
      return
    }
    const sent = this.#sent.find((one) => one.rid === rid)
    if (sent !== undefined) reply.send(sent.wire)
    else this.#end('item-not-found', reply)
  }

  /** Goes on with tasks and requests until something has to be waited for. */
  #run(): void {
    while (this.holds === 0 && this.#ending === undefined) {
      const task = this.#tasks.shift()
      if (task !== undefined) {
        this.#do(task)
        continue
      }
      const next = this.#pending.get(this.#nextRid)
      if (next === undefined) break
      this.#pending.delete(this.#nextRid)
      this.#take(this.#nextRid++, next)
    }
    this.hub.markDirty(this)
  }

  /** A request whose turn has come. */
  #take(rid: number, { frame, byteLength, reply }: Pending): void {
    const nowMs = this.hub.ports.clock.monotonic()
    this.#held.push({ rid, sinceMs: nowMs, reply })
    this.#inactivityMs = this.hub.config.http.bosh.inactivitySeconds * 1000
    if (!this.#isKeyGood(frame)) {
      this.#end('item-not-found')
      return
    }
    const isTerminate = frame.attribute('type') === 'terminate'
    const pause = frame.attribute('pause')
    const isRestart = frame.attributes().get(`{${NS_XBOSH}}restart`) === 'true'
    const isEmpty = frame.childCount === 0 && !isTerminate && pause === undefined && !isRestart && this.stage !== 'header'
    if (isEmpty && this.#pollsTooFast(nowMs)) {
      this.#end('policy-violation')
      return
    }
    if (pause !== undefined) this.#pause(Number(pause))
    // A terminated session still says what it wanted to say first; a restart's content is ignored (XEP-0206 §5).
    if (isRestart || this.stage === 'header') this.#tasks.push({ kind: 'restart', frame })
    else this.#queuePayloads(frame)
    if (isTerminate) this.#tasks.push({ kind: 'terminate' })
    this.noteInput(byteLength)
  }

  #queuePayloads(frame: Frame): void {
    const count = frame.childCount
    try {
      for (let child = 0; child < count; child++) {
        // Clients that leave the namespace out mean jabber:client (XEP-0206 §2).
        const payload = scanFragment(frame.childWire(child), NS_CLIENT, { limits: this.#limits, prefixes: frame.prefixes })
        this.#tasks.push({ kind: 'payload', frame: payload })
      }
    } catch (error) {
      this.onReadError(error)
    }
  }

  #do(task: Task): void {
    try {
      if (task.kind === 'payload') this.receive(task.frame)
      else if (task.kind === 'terminate') this.peerClosed()
      else this.#open(task.frame)
    } catch (error) {
      this.onReadError(error)
    }
  }

  #open(frame: Frame): void {
    const attributes = frame.attributes()
    this.service.opening(this, {
      to: attributes.get('to') ?? this.host?.domainpart,
      from: attributes.get('from'),
      version: attributes.get(`{${NS_XBOSH}}version`) ?? '1.0',
      lang: attributes.get('xml:lang'),
    })
  }

  #isKeyGood(frame: Frame): boolean {
    const key = frame.attribute('key')
    const newKey = frame.attribute('newkey')
    if (this.#key !== undefined) {
      if (key === undefined || createHash('sha1').update(key).digest('hex') !== this.#key) return false
      this.#key = key
    }
    if (newKey !== undefined) this.#key = newKey
    return true
  }

  /** XEP-0124 §12: two empty requests in a row, sooner than `polling`, from a client that does not wait. */
  #pollsTooFast(nowMs: number): boolean {
    if (this.#holdMax > 0) return false
    const isTooFast = nowMs - this.#lastEmptyMs < this.hub.config.http.bosh.pollingSeconds * 1000 && this.out === ''
    this.#lastEmptyMs = nowMs
    return isTooFast
  }

  #pause(seconds: number): void {
    if (!(seconds > 0) || seconds > this.hub.config.http.bosh.pauseMaxSeconds) return
    this.#inactivityMs = seconds * 1000
    // XEP-0124 §10: everything held is answered, without payloads.
    for (const held of this.#held.splice(0)) this.#answer(held, '')
  }

  /** The client will repeat the request, or the session runs out. */
  #lose(reply: BoshReply): void {
    const index = this.#held.findIndex((held) => held.reply === reply)
    if (index < 0) return
    this.#held.splice(index, 1)
    this.#lastAnswerMs = this.hub.ports.clock.monotonic()
  }

  protected override applyHolds(): void {
    if (this.holds === 0) this.#run()
  }

  // ------------------------------------------------------------------------------------ responses

  protected override writeHeader({ from, id }: OwnHeader): void {
    // The first header carries the session's attributes; those after a restart only these.
    const prefix = this.#attributes === '' ? ` xmlns:xmpp='${NS_XBOSH}'` : this.#attributes
    this.#attributes = `${prefix} from='${from}' authid='${id}' xmpp:version='1.0'`
    this.hub.markDirty(this)
  }

  protected override writeFault(fault: StreamFault): void {
    this.out += streamErrorWire(fault)
    this.#condition = fault.condition === 'system-shutdown' ? 'system-shutdown' : 'remote-stream-error'
  }

  /** The terminating body is the close tag. */
  protected override writeClose(): void {
    this.#ending ??= { condition: this.#condition }
    this.hub.markDirty(this)
  }

  /** Held requests keep middleboxes awake. */
  protected override writeKeepalive(): void {}

  override sendControl(wire: string): void {
    this.out += wire
    this.hub.markDirty(this)
  }

  override sendStanza(wire: string): void {
    this.out += inClientNamespace(wire)
    this.hub.markDirty(this)
    if (this.out.length > this.service.outputBytesMax()) this.overflow()
  }

  override flush(): void {
    if (this.#ending !== undefined) {
      this.#finish()
      return
    }
    if (this.out !== '') this.#answerOldest()
    // Whoever waits for the core will have something to say soon.
    if (this.holds !== 0 || this.#tasks.length > 0) return
    if (this.#attributes !== '') this.#answerOldest()
    while (this.#held.length > this.#holdMax) this.#answerOldest()
  }

  #answerOldest(): void {
    const oldest = this.#held.shift()
    if (oldest === undefined) return
    const { out } = this
    this.out = ''
    this.#answer(oldest, out)
  }

  #answer({ rid, reply }: Held, payload: string): void {
    const wire = bodyWire(this.#attributes, payload)
    this.#attributes = ''
    this.#lastAnswerMs = this.hub.ports.clock.monotonic()
    this.#sent.push({ rid, wire })
    if (this.#sent.length > this.hub.config.http.bosh.responsesKept) this.#sent.shift()
    this.hub.metrics.bytesOut.add(wire.length)
    reply.send(wire)
  }

  // ------------------------------------------------------------------------------------ end

  /** Ends the session for a fault of the BOSH level; the stream's own faults come through `fail`. */
  #end(condition: BoshCondition, reply?: BoshReply): void {
    this.#ending ??= { condition }
    if (reply !== undefined) this.#answerEnd(reply)
    this.#finish()
    this.lost()
  }

  /** Says the end on every request that waits; a session without one says it on the next, if that comes in time. */
  #finish(): void {
    const waiting = [...this.#held.splice(0).map(({ reply }) => reply), ...[...this.#pending.values()].map(({ reply }) => reply)]
    this.#pending.clear()
    for (const reply of waiting) this.#answerEnd(reply)
  }

  #answerEnd(reply: BoshReply): void {
    const { out } = this
    this.out = ''
    reply.send(terminateBody(this.#ending?.condition, out))
    this.lost()
  }

  protected override endOutput(): void {
    this.hub.markDirty(this)
  }

  override destroy(): void {
    this.#ending ??= { condition: undefined }
    this.#finish()
    this.lost()
  }

  protected override released(): void {
    this.#forget()
    this.hub.guard.leave(this.address)
  }

  override restart(): void {
    this.reopen()
  }

  override get queuedBytes(): number {
    return this.out.length
  }

  override setLimits(limits: XmlLimits): void {
    this.#limits = limits
  }

  /** Session id, for the log. */
  get sid(): string {
    return this.#sid
  }

  // ------------------------------------------------------------------------------------ time

  /** Answers what has waited long enough; ends a session whose client is gone. */
  onTick(nowMs: number): void {
    if (this.stage === 'closed') return
    while (this.#held.length > 0 && nowMs - (this.#held[0]?.sinceMs ?? nowMs) >= this.#waitMs && this.holds === 0) this.#answerOldest()
    if (this.#held.length > 0 || nowMs - this.#lastAnswerMs < this.#inactivityMs) return
    this.hub.ports.log.debug('bosh-session-inactive', { conn: this.id, sid: this.#sid })
    this.destroy()
  }
}

/** A non-negative whole number in an attribute, or the fallback. */
function readCount(frame: Frame, name: string, fallback: number): number {
  const text = frame.attribute(name)
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : fallback
}
