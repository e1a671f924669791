/** What a warm account carries: where its log ends, what of it is delivered, what it wants archived. */
import type { Jid } from '@rollcall/jid'
import type { Session } from '@rollcall/module-api'
import type { Archive, ArchiveEntry, Json, Keyval } from '@rollcall/ports'
import { BEGINNING, DeliveryPosition } from './delivery-position.ts'
import type { Mark, StoredPosition } from './delivery-position.ts'
import type { LatestIds } from './latest-ids.ts'
import { Preferences } from './preferences.ts'
import type { StoredPreferences } from './preferences.ts'
import { makeStanzaId, timeOfStanzaId } from './stanza-ids.ts'
import type { StoredMessage } from './stored-message.ts'

export interface LogStores {
  /** The history. */
  readonly messages: Archive<StoredMessage>
  /** Received messages that are kept only until they are delivered: the same log, but nothing that may be queried. */
  readonly waiting: Archive<StoredMessage>
  readonly positions: Keyval<StoredPosition>
  readonly preferences: Keyval<StoredPreferences>
}

export class AccountLog {
  readonly account: Jid
  readonly owner: string
  position: DeliveryPosition
  preferences: Preferences
  /** There may be entries in the store of what is kept until delivery. */
  hasTransient: boolean
  /** Ids of delivered entries of that store, to be deleted with the next write of the position. */
  doneTransient: string[] = []
  /** Deliveries of what waits, one after the other. */
  line: Promise<void> = Promise.resolve()
  /** Sessions whose delivery has been put in line and has not begun, and the number up to which it reads. */
  readonly inLine = new Map<Session, number>()
  /** Id of the last entry of the history, '' when there is none: where reading goes on after what is kept elsewhere. */
  lastArchivedId = ''
  /** Settles when the last entry that was given to storage is there, or is not. */
  written: Promise<void> | undefined = undefined
  /** There while messages come again that may be in the log. */
  latestIds: LatestIds | undefined = undefined
  /** Queries that are being answered. */
  queries = 0
  #lastIdMs: number

  constructor(account: Jid, position: DeliveryPosition, preferences: Preferences, lastId: string, hasTransient: boolean) {
    this.account = account
    this.owner = account.toString()
    this.position = position
    this.preferences = preferences
    this.hasTransient = hasTransient
    this.#lastIdMs = lastId === '' ? 0 : timeOfStanzaId(lastId)
  }

  /** Reads from storage; rejects as storage does. What is older than `untilMs` does not wait any more. */
  static async load(stores: LogStores, account: Jid, fallback: StoredPreferences, untilMs: number | undefined): Promise<AccountLog> {
    const owner = account.toString()
    const latest = { limit: 1, isBackward: true }
    const [stored, preferences, messages, waiting] = await Promise.all([
      stores.positions.get(owner), stores.preferences.get(owner),
      stores.messages.query(owner, latest), stores.waiting.query(owner, latest),
    ])
    const ends = [...messages.entries, ...waiting.entries].map(markOf)
    const last = ends.reduce((a, b) => (a.number > b.number ? a : b), BEGINNING)
    const lastId = [...ends, stored ?? BEGINNING].reduce((id, mark) => (mark.id > id ? mark.id : id), '')
    const position = DeliveryPosition.restore(stored, last)
    const log = new AccountLog(account, position, new Preferences(preferences ?? fallback), lastId, waiting.entries.length > 0)
    log.lastArchivedId = messages.entries[0]?.id ?? ''
    if (untilMs !== undefined && position.waiting > 0) await log.#forgetUntil(stores, untilMs)
    return log
  }

  /** A new id, later than every other of this log. */
  nextId(nowMs: number, random: string): string {
    this.#lastIdMs = Math.max(nowMs, this.#lastIdMs + 1)
    const id = makeStanzaId(this.#lastIdMs, random)
    this.latestIds?.note(id)
    return id
  }

  exportState(): Json {
    const { preferences, hasTransient, doneTransient } = this
    return {
      account: this.owner, position: this.position.exportState(), preferences: { ...preferences.stored },
      lastId: makeStanzaId(this.#lastIdMs, ''), lastArchivedId: this.lastArchivedId, hasTransient, doneTransient: [...doneTransient],
    }
  }

  static importState(json: Json, parse: (text: string) => Jid): AccountLog {
    const { account, position, preferences, lastId, lastArchivedId, hasTransient, doneTransient } = json as {
      account: string; position: Json; preferences: StoredPreferences; lastId: string; lastArchivedId: string; hasTransient: boolean; doneTransient: string[]
    }
    const log = new AccountLog(parse(account), DeliveryPosition.importState(position), new Preferences(preferences), lastId, hasTransient)
    log.doneTransient = [...doneTransient]
    log.lastArchivedId = lastArchivedId
    return log
  }

  async #forgetUntil(stores: LogStores, untilMs: number): Promise<void> {
    for (const store of [stores.messages, stores.waiting]) {
      const [entry] = (await store.query(this.owner, { end: untilMs, limit: 1, isBackward: true })).entries
      if (entry === undefined) continue
      const mark = markOf(entry)
      const { reached, last } = this.position
      const id = store === stores.messages ? mark.id : reached.id
      if (mark.number > reached.number) this.position = new DeliveryPosition({ ...mark, id }, last)
    }
  }
}

/** Where an entry stands. */
export function markOf({ id, value }: ArchiveEntry<StoredMessage>): Mark {
  return { id, number: value[1], end: value[2] }
}
