/**
 * Waiting messages as import and export of whole accounts carry them (XEP-0227): stanzas, each with the delay that says
 * since when the host has it. For accounts that nobody is connected to: what is imported takes the place of what waits.
 */
import { keyvalStore, logStore } from '@rollcall/module-api'
import { jidOf, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { openStore } from '@rollcall/ports'
import type { Clock, Random, StorageBackend } from '@rollcall/ports'
import { Delay, NS_DELAY } from '@rollcall/protocol'
import { NS_CLIENT, stanzaFromFrame } from '@rollcall/stanza'
import { parseElement, scanFragment, serialize, XmlElement } from '@rollcall/xml'
import { AccountLog } from './account-log.ts'
import type { LogStores } from './account-log.ts'
import { DeliveryPosition } from './delivery-position.ts'
import type { StoredPosition } from './delivery-position.ts'
import type { StoredPreferences } from './preferences.ts'
import { RECEIVED, sizeOf, textOf, wireOf } from './stored-message.ts'
import type { StoredMessage } from './stored-message.ts'
import { WaitingReader } from './waiting-reader.ts'

export const logStores = {
  messages: logStore<StoredMessage>('archive'),
  waiting: logStore<StoredMessage>('archive_waiting'),
  positions: keyvalStore<StoredPosition>('archive_positions'),
  preferences: keyvalStore<StoredPreferences>('archive_preferences'),
}

export function waitingData(storage: StorageBackend, clock: Clock, random: Random) {
  const stores: LogStores = {
    messages: openStore(storage, logStores.messages), waiting: openStore(storage, logStores.waiting),
    positions: openStore(storage, logStores.positions), preferences: openStore(storage, logStores.preferences),
  }
  const load = (account: Jid) => AccountLog.load(stores, account, { default: 'always', always: [], never: [] }, undefined)
  return {
    async read(account: Jid): Promise<XmlElement[]> {
      const log = await load(account)
      const messages: XmlElement[] = []
      const reader = new WaitingReader(stores, log, log.position.last.number)
      while (!reader.isAtEnd) {
        for (const { entry } of await reader.next()) {
          if (!log.position.isWaiting(entry.value[1])) continue
          const message = parseElement(wireOf(entry.value), NS_CLIENT)
          messages.push(message.append(Delay.encode({ from: jidOf('', account.domainpart), stamp: entry.at, reason: 'Offline Storage' })))
        }
      }
      return messages
    },
    async write(account: Jid, messages: readonly XmlElement[]): Promise<void> {
      const log = await load(account)
      const owner = account.toString()
      let { last } = log.position
      const reached = new DeliveryPosition({ ...last, id: log.lastArchivedId }, last).toStored()
      await Promise.all([stores.waiting.clear(owner), stores.positions.set(owner, reached)])
      for (const message of messages) {
        if (message.name !== 'message' || message.ns !== NS_CLIENT) continue
        const { at, kept } = withoutDelay(message, account.domainpart, clock.now())
        const from = tryParseJid(message.attribute('from') ?? '')
        const stanza = stanzaFromFrame(scanFragment(serialize(kept, ''), ''), from, account)
        last = { id: log.nextId(clock.now(), random.id()), number: last.number + 1, end: last.end + sizeOf(stanza) }
        const value: StoredMessage = [RECEIVED, last.number, last.end, textOf(stanza)]
        await stores.messages.append(owner, { id: last.id, at, with: from?.bare.toString() ?? '', value })
      }
    },
  }
}

/** The message as it came, and when: the host's own delay is added again at delivery. */
function withoutDelay(message: XmlElement, host: string, now: number): { readonly at: number; readonly kept: XmlElement } {
  const delays = message.elements('delay', NS_DELAY)
  const own = delays.find((delay) => delay.attribute('from') === host)
  const stamp = Date.parse((own ?? delays[0])?.attribute('stamp') ?? '')
  const kept = new XmlElement(message.name, message.ns, message.attributes, message.children.filter((child) => child !== own))
  return { at: Number.isNaN(stamp) ? now : stamp, kept }
}
