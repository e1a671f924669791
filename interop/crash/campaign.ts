/**
 * The crash campaign: rounds of traffic and trouble, each followed by calm, in which everything must come right.
 *
 * A round ends with three questions. Is everything that the server acknowledged with its recipients and in both archives?
 * Does every device that is there see the others as they are, after some have gone without a word? And, all along: was
 * anything delivered under two stanza ids, twice in a session, or out of order?
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SeededRandom } from '@rollcall/testing'
import type { XmlElement } from '@rollcall/xml'
import { HOST } from '../harness.ts'
import type { Account, RollcallProcess } from '../harness.ts'
import { troubleDevices, troubleServer } from './chaos.ts'
import type { ChaosCounts } from './chaos.ts'
import { Device, RESUME_SECONDS } from './device.ts'
import { Ledger } from './ledger.ts'
import type { Archived } from './ledger.ts'
import { NS } from './names.ts'

/** Devices by account; all accounts are each other's contacts. */
const HOUSES: Readonly<Record<string, readonly string[]>> = {
  juliet: ['balcony', 'chamber'], romeo: ['orchard', 'street'], nurse: ['house'], benvolio: ['square'], mercutio: ['hall'], tybalt: ['vault'],
}
const PASSWORD = 'wherefore'
const CALM_TIMEOUT_MS = 30_000
/** Nothing has come for that long: everything has. */
const CALM_MS = 1200
const POLL_MS = 50
/** Beyond the resumption time: the server's sweep, and a machine that is busy with other tests. */
const GHOST_MARGIN_MS = 8000
/** Messages sent at once before some of the kills. */
const BURST = 60
const PAGE_SIZE = 200
const PAGES_MAX = 10_000

const names = Object.keys(HOUSES)

/** What the server needs: accounts that know each other, and clients that may be many and in clear. */
export const crashServer = {
  accounts: names.map((localpart): Account => ({ localpart, password: PASSWORD, contacts: names.filter((name) => name !== localpart) })),
  settings: {
    tls: { required: false },
    auth: { plainWithoutTls: true, iterations: { sha1: 4096, sha256: 4096, sha512: 4096 }, addressLockout: { freeFailures: 1000 } },
    limits: { connectsPerMinuteMax: 100_000, connectionsPerAddressMax: 1000 },
    storage: { kind: 'sqlite', durability: 'full' },
    log: { level: 'info', format: 'json' },
  },
} as const

export class Campaign {
  readonly devices: readonly Device[]
  readonly ledger: Ledger
  readonly chaos: ChaosCounts = { kills: 0, restarts: 0 }
  rounds = 0
  resumptions = 0
  logins = 0
  readonly #server: RollcallProcess
  readonly #seed: number
  /** Account → id of the last message of its archive that was read. */
  readonly #read = new Map<string, string>()
  #lastEventMs = 0
  #textNumber = 0

  constructor(server: RollcallProcess, seed: number) {
    this.#server = server
    this.#seed = seed
    this.devices = Object.entries(HOUSES).flatMap(([localpart, resources]) => resources.map((resource) => new Device(
      { host: HOST, port: server.ports.client, localpart, password: PASSWORD, resource }, this.#events(),
    )))
    this.ledger = new Ledger(this.devices)
  }

  #events(): ConstructorParameters<typeof Device>[1] {
    return {
      sent: (device, message) => this.ledger.sent(device, message),
      acknowledged: (_device, id) => this.#noting(() => this.ledger.acknowledged(id)),
      received: (device, message) => this.#noting(() => this.ledger.received(device, message)),
      refused: (_device, id) => this.#noting(() => this.ledger.refused(id)),
      fault: (device, text) => this.ledger.violation(`${device.jid} ${text}`),
      online: (_device, how) => this.#noting(() => {
        if (how === 'resumed') this.resumptions++
        else this.logins++
      }),
    }
  }

  #noting(act: () => void): void {
    this.#lastEventMs = Date.now()
    act()
  }

  /** One line. */
  get summary(): string {
    const { messages, acknowledged, received, redelivered, refused, violations } = this.ledger.counts
    const cuts = this.devices.reduce((sum, device) => sum + device.cuts, 0)
    return `seed ${this.#seed}: ${this.rounds} runs, ${this.chaos.kills} kills, ${this.chaos.restarts} restarts, ${cuts} cuts, `
      + `${this.logins} logins, ${this.resumptions} resumptions, ${messages} messages, ${acknowledged} acknowledged, ${received} received, `
      + `${redelivered} redelivered, ${refused} refused, ${violations} violations`
  }

  /** A round with trouble for about `troubleMs`. */
  async round(troubleMs: number): Promise<void> {
    const seed = this.#seed + this.rounds * 1000
    this.rounds++
    await this.gather()
    if (this.ledger.violations.length > 0) return
    const until = Date.now() + troubleMs
    const isOver = { now: false }
    const traffic = this.#traffic(seed + 1, isOver)
    const burstRandom = new SeededRandom(seed + 5)
    const burst = () => { for (let left = BURST; left > 0; left--) this.sendOne(burstRandom, 100) }
    await Promise.all([
      troubleServer({ server: this.#server, seed: seed + 2, untilMs: until, counts: this.chaos, burst }), troubleDevices(this.devices, seed + 3, until),
    ])
    isOver.now = true
    await traffic
    await this.calm()
    await this.#checkPresence(new SeededRandom(seed + 4))
    await this.gather()
    await this.close({ mayRefuse: false })
  }

  /** Compares what the ledger knows with the archives. */
  async close(options: { readonly mayRefuse: boolean }): Promise<void> {
    const archives = new Map<string, readonly Archived[]>()
    for (const device of this.devices) {
      if (!archives.has(device.account)) archives.set(device.account, await this.#archive(device))
    }
    this.ledger.close(archives, options)
  }

  /** Has everybody come, and waits until nothing more comes. */
  async gather(): Promise<void> {
    for (const device of this.devices) if (!device.isWanted) device.come()
    await this.calm()
  }

  /** Sends a message from a random device to a random other account, or to one of its devices. */
  sendOne(random: SeededRandom, textLength: number): void {
    const sender = this.devices[random.below(this.devices.length)] as Device
    const others = this.devices.filter((device) => device.account !== sender.account)
    const recipient = others[random.below(others.length)] as Device
    const to = random.below(4) === 0 ? recipient.jid : recipient.account
    sender.send({ id: `m${++this.#textNumber}`, to, text: 'O'.repeat(textLength) })
  }

  async #traffic(seed: number, isOver: { readonly now: boolean }): Promise<void> {
    const random = new SeededRandom(seed)
    while (!isOver.now) {
      await sleep(random.below(30))
      // Several at a time now and then: a flush with more than one stanza.
      for (let left = random.below(8) === 0 ? random.below(12) : 1; left > 0; left--) this.sendOne(random, 1 + random.below(200))
    }
  }

  /** Has everybody say goodbye. */
  dismiss(): void {
    for (const device of this.devices) device.leave()
  }

  /** Waits until everybody who wants to be there is, everything sent is acknowledged, and nothing has come for `quietMs`. */
  async calm(quietMs = CALM_MS): Promise<void> {
    const deadline = Date.now() + CALM_TIMEOUT_MS
    const wanted = this.devices.filter((device) => device.isWanted)
    while (Date.now() < deadline) {
      await sleep(POLL_MS)
      if (wanted.every((device) => device.isOnline && device.isSettled) && Date.now() - this.#lastEventMs > quietMs) return
    }
    for (const device of wanted) {
      if (!device.isOnline) this.ledger.violation(`${device.jid} did not come online within ${CALM_TIMEOUT_MS} ms`)
      else if (!device.isSettled) this.ledger.violation(`${device.jid} had messages not acknowledged within ${CALM_TIMEOUT_MS} ms`)
    }
  }

  /** Some leave, some are gone without a word, the others say something new: soon everybody must see just that. */
  async #checkPresence(random: SeededRandom): Promise<void> {
    const leaving = this.devices[random.below(this.devices.length)] as Device
    const gone = this.devices[random.below(this.devices.length)] as Device
    for (const device of this.devices) device.cutAt(undefined)
    leaving.leave()
    gone.isWanted = false
    gone.cut()
    for (const device of this.devices) if (device.isWanted) device.announce(`final ${this.rounds} ${random.below(1000)}`)
    const deadline = Date.now() + RESUME_SECONDS * 1000 + GHOST_MARGIN_MS
    let wrong = this.#wrongPresences()
    while (wrong.length > 0 && Date.now() < deadline) {
      await sleep(POLL_MS)
      wrong = this.#wrongPresences()
    }
    for (const text of wrong) this.ledger.violation(text)
  }

  #wrongPresences(): string[] {
    const present = this.devices.filter((device) => device.isWanted)
    return present.flatMap((viewer) => this.devices.flatMap((device) => {
      const seen = viewer.presences.get(device.jid)
      const expected = device.isWanted ? device.status : undefined
      return seen === expected ? [] : [`${viewer.jid} sees ${device.jid} as ${seen ?? 'away'}; it is ${expected ?? 'away'}`]
    }))
  }

  /** What came into the account's archive since the last time. */
  async #archive(device: Device): Promise<Archived[]> {
    const archived: Archived[] = []
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const page = await device.page(this.#read.get(device.account), PAGE_SIZE)
      const fin = page?.fin.child('fin', NS.mam)
      if (page === undefined || fin === undefined) throw new Error(`${device.jid} got no page of its archive`)
      archived.push(...page.results.map(archivedOf))
      const last = archived.at(-1)?.archiveId
      if (last !== undefined) this.#read.set(device.account, last)
      if (fin.attribute('complete') === 'true') return archived
    }
    throw new Error(`the archive of ${device.account} has no end`)
  }
}

function archivedOf(message: XmlElement): Archived {
  const result = message.child('result', NS.mam)
  const forwarded = result?.child('forwarded', NS.forward)?.child('message', NS.client)
  return { archiveId: result?.attribute('id') ?? '', id: forwarded?.attribute('id') ?? '' }
}
