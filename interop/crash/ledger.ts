/**
 * The checker of the campaign: what was sent, what the server acknowledged, what arrived where, and what the archives have.
 *
 * It knows nothing of the server but what its clients saw. Each mistake is noted when it can first be seen, in words that
 * name the messages.
 */
import type { Device, OutgoingMessage, ReceivedMessage } from './device.ts'

/** Mistakes reported in full; all are counted. */
const REPORTED_VIOLATIONS_MAX = 40

interface Sent {
  readonly id: string
  readonly number: number
  readonly round: number
  readonly sender: Device
  readonly recipient: string
  readonly to: string
  isAcknowledged: boolean
  isRefused: boolean
}

/** One message of an archive. */
export interface Archived {
  readonly archiveId: string
  readonly id: string
}

export interface Counts {
  readonly messages: number
  readonly acknowledged: number
  readonly received: number
  readonly redelivered: number
  /** Copies of what other devices of the account sent. */
  readonly copies: number
  readonly refused: number
  readonly violations: number
}

export class Ledger {
  readonly violations: string[] = []
  #counts = { messages: 0, acknowledged: 0, received: 0, redelivered: 0, copies: 0, refused: 0, violations: 0 }
  #round = 1
  /** Messages of this round and of the one before, which may come again after a crash. */
  readonly #sent = new Map<string, Sent>()
  /** Account → message id → stanza id, of what arrived. */
  readonly #arrived = new Map<string, Map<string, string>>()
  /** Device → message ids. */
  readonly #onDevice = new Map<string, Set<string>>()
  /** Device and sender → number of the last message that arrived for the first time. */
  readonly #last = new Map<string, number>()
  /** Accounts with more than one device: a message may go to another device later than a newer one, and says so. */
  readonly #shared: ReadonlySet<string>

  constructor(devices: readonly Device[]) {
    const accounts = devices.map((device) => device.account)
    this.#shared = new Set(accounts.filter((account, at) => accounts.indexOf(account) !== at))
  }

  get counts(): Counts {
    return this.#counts
  }

  violation(text: string): void {
    this.#counts.violations++
    if (this.violations.length < REPORTED_VIOLATIONS_MAX) this.violations.push(text)
  }

  sent(sender: Device, { id, to }: OutgoingMessage): void {
    const number = ++this.#counts.messages
    this.#sent.set(id, { id, number, round: this.#round, sender, recipient: bareOf(to), to, isAcknowledged: false, isRefused: false })
  }

  acknowledged(id: string): void {
    const sent = this.#sent.get(id)
    if (sent === undefined || sent.isAcknowledged) return
    sent.isAcknowledged = true
    this.#counts.acknowledged++
  }

  refused(id: string): void {
    const sent = this.#sent.get(id)
    if (sent === undefined) return
    sent.isRefused = true
    this.#counts.refused++
  }

  received(device: Device, message: ReceivedMessage): void {
    const { id, from, stanzaId } = message
    this.#counts.received++
    const sent = this.#sent.get(id)
    if (sent === undefined) return this.violation(`${device.jid} got ${id}, which nobody sent`)
    if (sent.recipient !== device.account || sent.sender.jid !== from) return this.violation(`${device.jid} got ${id} from ${from}`)
    if (stanzaId === undefined) return this.violation(`${device.jid} got ${id} without a stanza id`)
    const arrived = valueOf(this.#arrived, device.account, () => new Map<string, string>())
    const before = arrived.get(id)
    if (before !== undefined && before !== stanzaId) this.violation(`${device.jid} got ${id} under the stanza ids ${before} and ${stanzaId}`)
    arrived.set(id, stanzaId)
    const own = valueOf(this.#onDevice, device.jid, () => new Set<string>())
    if (own.has(id)) {
      this.#counts.redelivered++
      return undefined
    }
    own.add(id)
    return this.#checkOrder(device, sent, message)
  }

  /** A device got a copy of what another of its account sent. */
  copied(device: Device, id: string): void {
    this.#counts.copies++
    const sent = this.#sent.get(id)
    if (sent === undefined || sent.sender.account !== device.account) return this.violation(`${device.jid} got a copy of ${id}, which its account did not send`)
    if (sent.sender === device) this.violation(`${device.jid} got a copy of ${id}, which it sent itself`)
  }

  /** Messages of this round that were acknowledged and have not reached their recipients. */
  missing(): string[] {
    const missing: string[] = []
    for (const { id, round, recipient, isAcknowledged, isRefused } of this.#sent.values()) {
      if (round === this.#round && isAcknowledged && !isRefused && this.#arrived.get(recipient)?.has(id) !== true) missing.push(id)
    }
    return missing
  }

  #checkOrder(device: Device, { id, number, sender }: Sent, { isDelayed, isEarly }: ReceivedMessage): void {
    const pair = `${device.jid} ${sender.jid}`
    const last = this.#last.get(pair) ?? 0
    // RFC 6121 §8.5.3.1: what is for the resource itself does not wait until that is available, as the others do.
    if (number > last) {
      if (!isEarly) this.#last.set(pair, number)
    } else if (!isDelayed || !this.#shared.has(device.account)) this.violation(`${device.jid} got ${id} after a newer one of ${sender.jid}`)
  }

  /** Ends a round: everything acknowledged must have arrived, and be in both archives once, in order. */
  close(archives: ReadonlyMap<string, readonly Archived[]>, { mayRefuse }: { readonly mayRefuse: boolean }): void {
    for (const [account, archive] of archives) this.#checkArchive(account, archive)
    const places = new Map([...archives].map(([account, archive]) => [account, new Set(archive.map(({ id }) => id))]))
    for (const { id, round, sender, recipient, to, isAcknowledged, isRefused } of this.#sent.values()) {
      if (round < this.#round) continue
      if (isRefused && !mayRefuse) this.violation(`${id} of ${sender.jid} was refused`)
      if (!isAcknowledged || isRefused) continue
      if (this.#arrived.get(recipient)?.has(id) !== true) this.violation(`${id} of ${sender.jid} was acknowledged and never reached ${to}`)
      if (places.get(recipient)?.has(id) !== true) this.violation(`${id} of ${sender.jid} was acknowledged and is not in the archive of ${recipient}`)
      if (places.get(sender.account)?.has(id) !== true) this.violation(`${id} was acknowledged and is not in the archive of its sender ${sender.jid}`)
    }
    this.#forgetOldRounds()
    this.#round++
  }

  #forgetOldRounds(): void {
    for (const { id, round } of this.#sent.values()) {
      if (round === this.#round) continue
      this.#sent.delete(id)
      for (const ids of [...this.#arrived.values(), ...this.#onDevice.values()]) ids.delete(id)
    }
  }

  #checkArchive(account: string, archive: readonly Archived[]): void {
    const seen = new Set<string>()
    const last = new Map<Device, number>()
    for (const { archiveId, id } of archive) {
      const sent = this.#sent.get(id)
      if (sent === undefined) {
        this.violation(`the archive of ${account} has ${id}, which nobody sent in this round`)
        continue
      }
      if (seen.has(id)) this.violation(`the archive of ${account} has ${id} twice`)
      seen.add(id)
      const arrivedAs = this.#arrived.get(account)?.get(id)
      if (sent.recipient === account && arrivedAs !== undefined && arrivedAs !== archiveId) {
        this.violation(`the archive of ${account} has ${id} as ${archiveId}, and it arrived as ${arrivedAs}`)
      }
      // Within one account's archive, what a device sent to others and what others sent to it are separate lines by sender.
      if (sent.number < (last.get(sent.sender) ?? 0)) this.violation(`the archive of ${account} has ${id} after a newer one of ${sent.sender.jid}`)
      last.set(sent.sender, Math.max(sent.number, last.get(sent.sender) ?? 0))
    }
  }
}

function bareOf(jid: string): string {
  return jid.split('/', 1)[0] as string
}

function valueOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
