/** The `Roster` port over the service: questions answered from memory, or from storage where an account is not warm. */
import type { Accounts } from '@rollcall/module-api'
import type { Clock, MapStore } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { AccountRoster } from './account-roster.ts'
import { ContactWalk } from './account-roster.ts'
import type { Roster, RosterRecord } from './port.ts'
import type { RosterItem } from './roster-item.ts'
import type { RosterService } from './roster-service.ts'
import { itemOf, toRow } from './rows.ts'
import type { RosterRow } from './rows.ts'

export interface RosterPortParts {
  readonly service: RosterService
  readonly accounts: Accounts
  readonly clock: Clock
  readonly store: MapStore<RosterRow>
}

const isWatched = (item: RosterItem): boolean => item.isTo

export function rosterPort({ service, accounts, clock, store }: RosterPortParts): Roster {
  return {
    maySeePresence(account, watcher) {
      if (account.bareEquals(watcher)) return true
      const warm = accounts.warm(account)
      if (warm !== undefined) return service.rosterOf(warm).find(watcher)?.isFrom === true
      return storedMaySee(store, account, watcher)
    },
    isContact: (account, contact) => service.rosterOf(account).find(contact)?.isListed === true,
    item: (account, contact) => service.rosterOf(account).find(contact),
    items: (account) => service.rosterOf(account).items.filter((item) => item.isListed),
    watchers: (account) => service.rosterOf(account).watchers,
    watcherCount: (account) => service.rosterOf(account).watcherCount,
    watched: (account) => new ContactWalk(service.rosterOf(account).items, isWatched),
    isWatcher: (account, contact) => service.rosterOf(account).find(contact)?.isFrom === true,
    isWatched: (account, contact) => service.rosterOf(account).find(contact)?.isTo === true,
    async remove(account, contact) {
      const work = service.remove(account, contact)
      await work
      return work !== undefined
    },
    greet: (session) => service.greet(session),
    onWatcherAdded: (handler) => service.onWatcherAdded(handler),
    onWatcherRemoved: (handler) => service.onWatcherRemoved(handler),
    async read(account) {
      const warm = accounts.warm(account)
      const roster = warm === undefined ? await service.load(account.bare) : service.rosterOf(warm)
      return roster.items.map((item) => recordOf(roster, item))
    },
    async write(account, records) {
      const warm = accounts.warm(account)
      const roster = warm === undefined ? await service.load(account.bare) : service.rosterOf(warm)
      const writes: Promise<void>[] = []
      for (const record of records) {
        const item = put(roster, record, roster.advance(clock.now()))
        writes.push(store.set(account.bare.toString(), item.jid.toString(), toRow(roster, item)))
      }
      await Promise.all(writes)
    },
  }
}

async function storedMaySee(store: MapStore<RosterRow>, account: Jid, watcher: Jid): Promise<boolean> {
  const row = await store.get(account.bare.toString(), watcher.bare.toString())
  return row !== undefined && row.removed !== true && itemOf(watcher, row).isFrom
}

function recordOf(roster: AccountRoster, item: RosterItem): RosterRecord {
  const request = roster.requestOf(item)
  return {
    jid: item.jid,
    name: item.name,
    groups: item.groups,
    subscription: item.subscription,
    ask: item.isPendingOut,
    approved: item.isApproved,
    isListed: item.isListed,
    ...(item.isPendingIn ? { request: request ?? ` type='subscribe'/>` } : {}),
  }
}

/** Puts a record into the roster in place of what is there. */
function put(roster: AccountRoster, record: RosterRecord, version: number): RosterItem {
  const older = roster.find(record.jid)
  if (older !== undefined) roster.remove(older, undefined)
  const item = itemOf(record.jid, rowOf(record, version))
  roster.add(item)
  if (record.request !== undefined && item.isPendingIn) roster.setRequest(item, record.request)
  return item
}

function rowOf(record: RosterRecord, version: number): RosterRow {
  const { name, groups, subscription, request } = record
  return {
    version,
    ...(subscription === undefined ? {} : { subscription }),
    ...(name === undefined ? {} : { name }),
    ...(groups === undefined ? {} : { groups }),
    ...(record.ask === true ? { ask: true as const } : {}),
    ...(record.approved === true ? { approved: true as const } : {}),
    ...(request === undefined ? {} : { request }),
    ...(record.isListed === false ? { unlisted: true as const } : {}),
  }
}
