/**
 * The crash campaign: rounds of traffic and trouble, each followed by calm, in which everything must come right.
 *
 * A round ends with three questions. Is everything that the server acknowledged with its recipients and in both archives?
 * Does every device that is there see the others as they are, after some have gone without a word? And, all along: was
 * anything delivered under two stanza ids, twice in a session, or out of order?
 */
import { randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { SeededRandom } from '@rollcall/testing'
import type { XmlElement } from '@rollcall/xml'
import { HOST } from '../harness.ts'
import type { Account, RollcallProcess } from '../harness.ts'
import { troubleDevices, troubleServer } from './chaos.ts'
import type { ChaosCounts } from './chaos.ts'
import { Device, RESUME_SECONDS } from './device.ts'
import type { Page } from './device.ts'
import { Ledger } from './ledger.ts'
import type { Archived } from './ledger.ts'
import { NS } from './names.ts'
import type { Transport } from './wire.ts'

type Kind = readonly [resource: string, transport: Transport, login: 'classic' | 'modern']

/** Devices by account; all accounts are each other's contacts. */
const HOUSES: Readonly<Record<string, readonly Kind[]>> = {
  juliet: [['balcony', 'tcp', 'classic'], ['chamber', 'websocket', 'modern']],
  romeo: [['orchard', 'tcp', 'modern'], ['street', 'websocket', 'classic']],
  nurse: [['house', 'tcp', 'classic']],
  benvolio: [['square', 'websocket', 'modern']],
  mercutio: [['hall', 'tcp', 'modern']],
  tybalt: [['vault', 'tcp', 'classic']],
}
const PASSWORD = 'wherefore'
/** Nothing has happened for that long although something should have: it never will. Long, since the machine may be slow. */
const STALL_MS = 30_000
/** However much happens. */
const CALM_MAX_MS = 300_000
/** Nothing has come for that long, and nothing is missing: everything has. */
const CALM_MS = 500
const POLL_MS = 50
/** An acknowledgement that the server waits for at most, in seconds. */
const ACK_TIMEOUT_SECONDS = 4
/** Beyond the time to notice a loss and the resumption time: a machine that is slow. */
const GHOST_MARGIN_MS = 45_000
/** Messages sent at once before some of the kills. */
const BURST = 60
const PAGE_SIZE = 200
const PAGES_MAX = 10_000
const PAGE_ATTEMPTS_MAX = 20

const names = Object.keys(HOUSES)
/** Where the server under test reads how slow its disk is; one for each process that tests. */
const DISK_FILE = join(tmpdir(), `rollcall-crash-disk-${process.pid}`)
process.once('exit', () => rmSync(DISK_FILE, { force: true }))

/** What the server needs: accounts that know each other, and clients that may be many and in clear. */
export const crashServer = {
  accounts: names.map((localpart): Account => ({ localpart, password: PASSWORD, contacts: names.filter((name) => name !== localpart) })),
  settings: {
    tls: { required: false },
    auth: { plainWithoutTls: true, iterations: { sha1: 4096, sha256: 4096, sha512: 4096 }, addressLockout: { freeFailures: 1000 } },
    limits: { connectsPerMinuteMax: 100_000, connectionsPerAddressMax: 1000 },
    storage: { kind: 'sqlite', durability: 'full' },
    // What waits is looked for on the devices, also on those that could fetch it from the archive.
    modules: { archive: { waitingToBind2: true } },
    streamManagement: { ackTimeoutMin: `${ACK_TIMEOUT_SECONDS - 1}s`, ackTimeoutMax: `${ACK_TIMEOUT_SECONDS}s` },
    log: { level: 'info', format: 'json' },
  },
  environment: {
    NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'slow-disk.ts')).href}`,
    CRASH_DISK_FILE: DISK_FILE,
  },
} as const

export class Campaign {
  readonly devices: readonly Device[]
  readonly ledger: Ledger
  readonly chaos: ChaosCounts = { kills: 0, restarts: 0, freezes: 0, slowDisks: 0 }
  rounds = 0
  resumptions = 0
  logins = 0
  /** The longest until everybody saw everybody as they are, in ms. */
  convergedMs = 0
  readonly #server: RollcallProcess
  readonly #seed: number
  /** Account → id of the last message of its archive that was read. */
  readonly #read = new Map<string, string>()
  #lastEventMs = 0
  #textNumber = 0

  constructor(server: RollcallProcess, seed: number) {
    this.#server = server
    this.#seed = seed
    this.devices = Object.entries(HOUSES).flatMap(([localpart, kinds]) => kinds.map((kind) => this.#device(localpart, kind)))
    this.ledger = new Ledger(this.devices)
  }

  #device(localpart: string, [resource, transport, login]: Kind): Device {
    const { client, http } = this.#server.ports
    return new Device({
      host: HOST, transport, port: transport === 'tcp' ? client : http, login, localpart, password: PASSWORD, resource,
      clientId: randomUUID(),
    }, this.#events())
  }

  #events(): ConstructorParameters<typeof Device>[1] {
    return {
      sent: (device, message) => this.ledger.sent(device, message),
      acknowledged: (_device, id) => this.#noting(() => this.ledger.acknowledged(id)),
      received: (device, message) => this.#noting(() => this.ledger.received(device, message)),
      copied: (device, id) => this.#noting(() => this.ledger.copied(device, id)),
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
    const { messages, acknowledged, received, redelivered, copies, refused, violations } = this.ledger.counts
    const cuts = this.devices.reduce((sum, device) => sum + device.cuts, 0)
    const { kills, restarts, freezes, slowDisks } = this.chaos
    return `seed ${this.#seed}: ${this.rounds} runs, ${kills} kills, ${restarts} restarts, ${freezes} freezes, ${slowDisks} slow disks, `
      + `${cuts} cuts, ${this.logins} logins, ${this.resumptions} resumptions, ${messages} messages, ${acknowledged} acknowledged, ${received} received, `
      + `${redelivered} redelivered, ${copies} copies, ${refused} refused, `
      + `presence right within ${Math.ceil(this.convergedMs / 1000)} s, ${violations} violations`
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
    const slowDisk = (ms: number) => writeFileSync(DISK_FILE, String(ms))
    try {
      await Promise.all([
        troubleServer({ server: this.#server, seed: seed + 2, untilMs: until, counts: this.chaos, burst, slowDisk }),
        troubleDevices(this.devices, seed + 3, until),
      ])
    } finally {
      isOver.now = true
    }
    await traffic
    await this.calm()
    await this.#checkPresence(new SeededRandom(seed + 4))
    await this.gather()
    await this.close({ mayRefuse: false })
    for (const device of this.devices) device.clear()
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
    for (const device of this.devices) device.retire()
  }

  /**
   * Waits until everybody who wants to be there is, everything sent is acknowledged, what is acknowledged has arrived, and
   * nothing has come for `quietMs`. Nothing is wrong as long as something happens: a slow machine takes longer.
   */
  async calm(quietMs = CALM_MS): Promise<void> {
    const began = Date.now()
    this.#lastEventMs = began
    const wanted = this.devices.filter((device) => device.isWanted)
    const isSilent = (ms: number) => Date.now() - this.#lastEventMs > ms
    while (!isSilent(STALL_MS) && Date.now() - began < CALM_MAX_MS) {
      await sleep(POLL_MS)
      const isDone = wanted.every((device) => device.isOnline && device.isSettled) && isSilent(quietMs)
      if (isDone && (this.#isSomebodyAway || this.ledger.missing().length === 0)) return
    }
    for (const device of wanted) {
      if (!device.isOnline) this.ledger.violation(`${device.jid} did not come online`)
      else if (!device.isSettled) this.ledger.violation(`${device.jid} had messages that were not acknowledged`)
    }
  }

  get #isSomebodyAway(): boolean {
    return this.devices.some((device) => !device.isWanted)
  }

  /** Some leave, some are gone without a word, the others say something new: soon everybody must see just that. */
  async #checkPresence(random: SeededRandom): Promise<void> {
    const leaving = this.devices[random.below(this.devices.length)] as Device
    const gone = this.devices[random.below(this.devices.length)] as Device
    for (const device of this.devices) device.cutAt(undefined)
    leaving.leave()
    gone.isWanted = false
    // One that says nothing because it cannot, and one of which the server must find out by itself.
    if (random.below(2) === 0) gone.cut()
    else gone.vanish()
    for (const device of this.devices) if (device.isWanted) device.announce(`final ${this.rounds} ${random.below(1000)}`)
    const began = Date.now()
    const deadline = began + (ACK_TIMEOUT_SECONDS + RESUME_SECONDS) * 1000 + GHOST_MARGIN_MS
    let wrong = this.#wrongPresences()
    while (wrong.length > 0 && Date.now() < deadline) {
      await sleep(POLL_MS)
      wrong = this.#wrongPresences()
    }
    this.convergedMs = Math.max(this.convergedMs, Date.now() - began)
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

  /** The next page of the account's archive. A connection may be lost even now, when the machine is slow. */
  async #page(device: Device): Promise<Page> {
    for (let attempt = 0; attempt < PAGE_ATTEMPTS_MAX; attempt++) {
      const page = await device.page(this.#read.get(device.account), PAGE_SIZE)
      if (page !== undefined) return page
      await this.calm(0)
    }
    throw new Error(`${device.jid} loses its connection again and again`)
  }

  /** What came into the account's archive since the last time. */
  async #archive(device: Device): Promise<Archived[]> {
    const archived: Archived[] = []
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const page = await this.#page(device)
      const fin = page.fin.child('fin', NS.mam)
      if (fin === undefined) throw new Error(`${device.jid} got no page of its archive`)
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
