/**
 * The log of every account: its message archive (XEP-0313) and, read from the same entries, the messages that wait for
 * it (XEP-0160). See `docs/adr/0010-acked-means-safe.md`.
 */
import {
  AccountAdmin, accountLeaving, accountRemoving, Accounts, defineModule, KeptMessages, messageAccepted, messageAcked, messageDelivered,
  messageSubmitted, messageUnacked, messageUndelivered, option, outbound, priorityChanged, resourceAvailable, Router,
  ServerInfo, sessionAdopted, sessionRestored,
} from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { Clock, Log, Metrics, Random, StorageError } from '@rollcall/ports'
import type { Json } from '@rollcall/ports'
import { MamMetadata, MamPrefs, MamQuery, mamDefaults, NS_MAM, NS_STANZA_IDS } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { ArchiveSearch } from '../archive-search/port.ts'
import { Blocking } from '../blocking/port.ts'
import { Carbons } from '../carbons/port.ts'
import { Roster } from '../roster/port.ts'
import { AccountLog } from './account-log.ts'
import type { LogStores } from './account-log.ts'
import { ArchiveService } from './archive-service.ts'
import { Delivery } from './delivery.ts'
import { Keeper } from './keeper.ts'
import { keptMessages } from './kept.ts'
import { MessageLog } from './message-log.ts'
import { MessageArchive } from './port.ts'
import { PositionWriter } from './position-writer.ts'
import { Preferences, readPreferences } from './preferences.ts'
import type { StoredPreferences } from './preferences.ts'
import { Purge } from './purge.ts'
import { queryForm } from './query-form.ts'
import { SeenMessages } from './seen-messages.ts'
import { withoutForgedIds } from './stanza-ids.ts'
import { logStores } from './user-data.ts'
import { worthOf } from './worth.ts'

const DAY_MS = 86_400_000

const seenState = {
  slotName: 'archive-seen', version: 1,
  exportState: (numbers: Set<number>): Json => [...numbers],
  importState: (json: Json): Set<number> => new Set(json as number[]),
}
/** Number of the last message that the session's client fetches itself. */
const catchUpState = {
  slotName: 'archive-catches-up', version: 1, exportState: (number: number): Json => number, importState: (json: Json): number => json as number,
}

export default defineModule({
  name: 'archive',
  summary: 'Keeps the messages of every account: its history, and what waits for it while it is away.',
  implements: [
    { xep: 313, version: '1.1.3', status: 'complete', note: 'archives of accounts, with urn:xmpp:mam:2#extended' },
    { xep: 441, version: '0.2.0', status: 'complete' },
    { xep: 359, version: '0.7.0', status: 'complete' },
    { xep: 160, version: '1.0.1', status: 'complete' },
    { xep: 59, version: '1.0', status: 'partial', note: 'in archives: pages by id, not by number' },
    { xep: 334, version: '1.0.0', status: 'complete', note: 'the hints on storing; that on copies is of the carbons' },
  ],
  features: {
    host: ['msgoffline'],
    account: [NS_MAM, `${NS_MAM}#extended`, `${NS_MAM}#groupchat-field`, NS_STANZA_IDS],
  },
  costly: [NS_MAM],
  config: {
    default: option.choice('always', mamDefaults, 'What is archived for accounts that did not say: always, never, or roster for messages of contacts.'),
    retentionDays: option.integer(0, 0, 36_500, 'Days after which messages are deleted from archives; 0 = never.'),
    messagesMax: option.integer(0, 0, 1_000_000_000, 'Messages kept in one archive, the latest; 0 = no limit.'),
    purgeHours: option.integer(6, 1, 720, 'Hours between two rounds that delete what is too old or too much.'),
    pageMax: option.integer(250, 1, 1000, 'Messages in one page of a query.'),
    pageDefault: option.integer(50, 1, 1000, 'Messages in one page when a query does not say how many.'),
    waitingMessagesMax: option.integer(1000, 1, 100_000, 'Messages that wait for one account while it is away; further ones are refused.'),
    waitingBytesMax: option.integer(4_194_304, 1024, 1_073_741_824, 'Bytes of all messages that wait for one account; what exceeds them is refused.'),
    waitingToBind2: option.boolean(false, 'Messages that wait are also sent to clients that bind with Bind 2, which fetch them from the archive.'),
    waitingDays: option.integer(0, 0, 36_500, 'Days after which a message that waits is not delivered any more; 0 = never.'),
  },
  stores: logStores,
  needs: { clock: Clock, random: Random, log: Log, metrics: Metrics, accounts: AccountAdmin, live: Accounts, router: Router, server: ServerInfo },
  wants: { blocking: Blocking, carbons: Carbons, roster: Roster, search: ArchiveSearch },
  provides: [KeptMessages, MessageArchive],
  setup({ config, stores, ports, accountSlot, sessionSlot, on, onBound, onIqGet, onIqSet, onStop, provide }) {
    const { clock, log: logger, metrics } = ports
    const isSearchable = ports.search !== undefined
    if (isSearchable && !stores.messages.isSearchable) throw new Error('modules.archive-search: the storage backend does not search; turn the module off')
    const fallback: StoredPreferences = { default: config.default, always: [], never: [] }
    const positions = new PositionWriter(stores, clock, logger)
    const slot = accountSlot<AccountLog>({
      slotName: 'archive',
      version: 1,
      load: async (account) => positions.pending(account.toString()) ?? AccountLog.load(stores, account, fallback, delivery.expiredUntil),
      exportState: (log) => log.exportState(),
      importState: (json) => AccountLog.importState(json, parseJid),
    })
    const catchUps = sessionSlot(catchUpState)
    const logOf = (account: Account) => account.get(slot)
    const delivery = new Delivery({
      stores, clock, log: logger, metrics, positions, blocking: ports.blocking, carbons: ports.carbons, expiryMs: config.waitingDays * DAY_MS, logOf,
      seen: new SeenMessages(sessionSlot(seenState)),
      catchesUpTo: (session) => session.get(catchUps) ?? 0,
    })
    const messages = new MessageLog({ stores, clock, random: ports.random, log: logger, metrics, positions, isSearchable })
    const keeper = new Keeper({ messages, delivery, roster: ports.roster, logOf, limits: config })
    const archive = new ArchiveService({
      messages: stores.messages, clock, metrics, limits: { ...config, isSearchable },
      sendWaiting: (session, log, entry, wire) => delivery.sendResult(session, log, entry, wire),
    })
    const purge = new Purge({
      ...stores, accounts: ports.accounts, hosts: ports.server.hosts, isHere: (account) => ports.router.isHere(account),
      clock, log: logger, metrics,
      limits: { retentionMs: config.retentionDays * DAY_MS, messagesMax: config.messagesMax, periodMs: config.purgeHours * 3_600_000 },
    })

    on(outbound, 'late', ({ session, stanza }) => unforged(stanza, session.account.jid))
    on(messageSubmitted, 'normal', (event) => keeper.submit(event))
    on(messageAccepted, 'normal', (event) => keeper.accept(event))
    on(messageUndelivered, 'normal', ({ stanza }) => worthOf(stanza) !== 'refused')
    on(messageDelivered, 'late', ({ account, stanza, recipients, holders }) => {
      if (recipients.length === 0 && holders.length > 0) delivery.copied(account, stanza, holders)
    })
    on(messageAcked, 'normal', (event) => delivery.acked(event))
    on(messageUnacked, 'normal', (event) => delivery.unacked(event))
    on(resourceAvailable, 'early', ({ session }) => (session.priority >= 0 ? delivery.deliverTo(session) : undefined))
    on(priorityChanged, 'early', ({ session, before }) => {
      if (before < 0 && session.priority >= 0) delivery.deliverTo(session)
    })
    on(accountRemoving, 'normal', ({ account }) => positions.forget(account.jid.toString()))
    on(accountLeaving, 'normal', ({ waitFor }) => waitFor(positions.flush()))
    on(sessionAdopted, 'normal', ({ session, since }) => delivery.adopted(session, since))
    on(sessionRestored, 'normal', ({ session, unacked, received }) => delivery.restored(session, unacked, received))

    onIqGet(MamQuery, 'self', () => queryForm(isSearchable))
    onIqSet(MamQuery, 'self', ({ account, session, payload }) => archive.query(logOf(account), session, payload))
    onIqGet(MamMetadata, 'self', ({ account }) => archive.metadata(logOf(account)))
    // XEP-0386 §3.2: how far the archive reaches when the resource is bound; the client fetches what it lacks up to there.
    onBound((session) => {
      const log = logOf(session.account)
      if (!config.waitingToBind2) session.set(catchUps, log.position.last.number)
      return archive.metadata(log)
    })
    onIqGet(MamPrefs, 'self', ({ account }) => prefsElement(logOf(account).preferences))
    onIqSet(MamPrefs, 'self', ({ account, payload }) => setPreferences(stores, logOf(account), payload))
    provide(KeptMessages, keptMessages(stores, clock, ports.live, logOf))
    provide(MessageArchive, { metadata: (account) => archive.metadata(logOf(account)) })
    purge.start()
    onStop(async () => {
      purge.stop()
      await positions.flush()
    })
  },
})

/** The stanza without ids that only the archive may give; undefined when it is right as it is. */
function unforged(stanza: Stanza, account: Jid): Stanza | undefined {
  const clean = stanza.kind === 'message' ? withoutForgedIds(stanza, account) : stanza
  return clean === stanza ? undefined : clean
}

async function setPreferences(stores: LogStores, log: AccountLog, wish: MamPrefs) {
  const stored = readPreferences(wish)
  try {
    await stores.preferences.set(log.owner, stored)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    throw new StanzaError('resource-constraint', 'The preferences cannot be stored now')
  }
  log.preferences = new Preferences(stored)
  return prefsElement(log.preferences)
}

function prefsElement({ stored }: Preferences) {
  return MamPrefs.encode({ default: stored.default, always: { jids: stored.always }, never: { jids: stored.never } })
}
