/**
 * Waiting messages as import and export of whole accounts carry them: stanzas, each with the delay that says since when
 * the host has it. For accounts that nobody is connected to: an import replaces the queue.
 */
import { archiveStore } from '@rollcall/module-api'
import { jidOf, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { openStore } from '@rollcall/ports'
import type { Clock, Random, StorageBackend } from '@rollcall/ports'
import { Delay, NS_DELAY } from '@rollcall/protocol'
import { decodeStanza, NS_CLIENT, stanzaFromFrame } from '@rollcall/stanza'
import { parseElement, scanFragment, serialize, XmlElement } from '@rollcall/xml'
import { AccountQueue } from './queue.ts'
import type { StoredMessage } from './queue.ts'

export const offlineStore = archiveStore<StoredMessage>('offline_messages')

const PAGE_SIZE = 200

export function offlineData(storage: StorageBackend, clock: Clock, random: Random) {
  const store = openStore(storage, offlineStore)
  return {
    async read(account: Jid): Promise<XmlElement[]> {
      const messages: XmlElement[] = []
      const owner = account.toString()
      let after: string | undefined
      for (let isComplete = false; !isComplete;) {
        const page = await store.query(owner, { limit: PAGE_SIZE, ...(after === undefined ? {} : { after }) })
        for (const { at, value } of page.entries) {
          const message = parseElement(decodeStanza(value.stanza).toWire(), NS_CLIENT)
          messages.push(message.append(Delay.encode({ from: jidOf('', account.domainpart), stamp: at, reason: 'Offline Storage' })))
        }
        isComplete = page.isComplete
        after = page.entries.at(-1)?.id
      }
      return messages
    },
    async write(account: Jid, messages: readonly XmlElement[]): Promise<void> {
      const owner = account.toString()
      await store.clear(owner)
      const queue = new AccountQueue()
      for (const message of messages) {
        if (message.name !== 'message' || message.ns !== NS_CLIENT) continue
        const { at, kept } = withoutDelay(message, account.domainpart, clock.now())
        const from = tryParseJid(message.attribute('from') ?? '')
        const stanza = stanzaFromFrame(scanFragment(serialize(kept, ''), ''), from, account)
        await store.append(owner, queue.add(stanza, random.id(), at))
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
