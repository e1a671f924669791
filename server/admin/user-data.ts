/**
 * One account as the `<user/>` of XEP-0227: its keys, and what modules keep for it.
 *
 * Each kind of data is a section that knows its elements, so that import and export cannot drift apart and a kind that
 * no module keeps is reported instead of lost. The file itself is the command's business; here are single users.
 */
import { jidOf, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { parseElement, serialize, XmlElement } from '@rollcall/xml'

export const NS_PIE = 'urn:xmpp:pie:0'
const NS_CLIENT = 'jabber:client'
const NS_ROSTER = 'jabber:iq:roster'
const NS_PRIVATE = 'jabber:iq:private'
const NS_VCARD = 'vcard-temp'
const NS_BLOCKING = 'urn:xmpp:blocking'

/** A kind of data. */
export interface UserSection {
  /** In words, for reports. */
  readonly name: string
  takes(element: XmlElement): boolean
  read(account: Jid): Promise<readonly XmlElement[]>
  /** Adds to what is there; answers with what had to be left out. */
  write(account: Jid, elements: readonly XmlElement[]): Promise<readonly string[]>
}

type Subscription = 'none' | 'to' | 'from' | 'both'

/** A contact; the shape of the roster module's records. */
export interface ContactRecord {
  readonly jid: Jid
  readonly name?: string
  readonly groups?: readonly string[]
  readonly subscription?: Subscription
  readonly ask?: boolean
  readonly approved?: boolean
  /** The contact's request waits: wire string of what follows the addresses of its stanza. */
  readonly request?: string
  /** False for the mere note of a waiting request. */
  readonly isListed?: boolean
}

export interface RosterData {
  read(account: Jid): Promise<readonly ContactRecord[]>
  write(account: Jid, records: Iterable<ContactRecord>): Promise<void>
}

/** Data that is a list of elements: offline messages oldest first, private XML, the card. */
export interface ElementData {
  read(account: Jid): Promise<readonly XmlElement[]>
  write(account: Jid, elements: readonly XmlElement[]): Promise<void>
}

export interface BlockData {
  read(account: Jid): Promise<readonly Jid[]>
  write(account: Jid, blocked: readonly Jid[]): Promise<void>
}

/** Contacts (XEP-0227 §4.4) and the requests that wait for an answer (§4.9). */
export function rosterSection(roster: RosterData): UserSection {
  return {
    name: 'roster',
    takes: ({ name, ns }) => (ns === NS_ROSTER ? name === 'query' : ns === NS_CLIENT && name === 'presence'),
    async read(account) {
      const records = await roster.read(account)
      const listed = records.filter(({ isListed }) => isListed !== false)
      const query = new XmlElement('query', NS_ROSTER, {}, listed.map(itemElement))
      const requests = records.flatMap(({ jid, request }) => (request === undefined ? [] : [requestElement(account, jid, request)]))
      return [query, ...requests]
    },
    async write(account, elements) {
      const problems: string[] = []
      const records = new Map<string, ContactRecord>()
      for (const element of elements) {
        if (element.ns === NS_ROSTER) for (const item of element.elements('item')) addItem(item, records, problems)
        else addRequest(element, records, problems)
      }
      await roster.write(account, records.values())
      return problems
    },
  }
}

const subscriptions: readonly string[] = ['none', 'to', 'from', 'both'] satisfies Subscription[]

function itemElement({ jid, name, groups = [], subscription = 'none', ask, approved }: ContactRecord): XmlElement {
  const attributes = {
    jid: jid.bare.toString(), name: name === '' ? undefined : name, subscription,
    ask: ask === true ? 'subscribe' : undefined, approved: approved === true ? 'true' : undefined,
  }
  return new XmlElement('item', NS_ROSTER, attributes, groups.map((group) => new XmlElement('group', NS_ROSTER, {}, [group])))
}

function addItem(item: XmlElement, records: Map<string, ContactRecord>, problems: string[]): void {
  const text = item.attribute('jid') ?? ''
  const jid = tryParseJid(text)
  const subscription = item.attribute('subscription') ?? 'none'
  if (jid === undefined || !subscriptions.includes(subscription)) {
    problems.push(`contact '${text}': ${jid === undefined ? 'not an address' : `unknown subscription '${subscription}'`}`)
    return
  }
  const name = item.attribute('name')
  const groups = [...new Set(item.elements('group').map((group) => group.text()).filter((group) => group !== ''))]
  const key = jid.bare.toString()
  const { request } = records.get(key) ?? {}
  records.set(key, {
    jid: jid.bare,
    subscription: subscription as Subscription,
    isListed: true,
    ...(name === undefined ? {} : { name }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(item.attribute('ask') === 'subscribe' ? { ask: true } : {}),
    ...(['true', '1'].includes(item.attribute('approved') ?? '') ? { approved: true } : {}),
    ...(request === undefined ? {} : { request }),
  })
}

const PRESENCE_TAG = '<presence'

function requestElement(account: Jid, from: Jid, request: string): XmlElement {
  return parseElement(`${PRESENCE_TAG} xmlns='${NS_CLIENT}' from='${from.bare.wire}' to='${account.wire}'${request}`, '')
}

function addRequest(presence: XmlElement, records: Map<string, ContactRecord>, problems: string[]): void {
  const text = presence.attribute('from') ?? ''
  const jid = tryParseJid(text)
  if (jid === undefined || presence.attribute('type') !== 'subscribe') {
    problems.push(jid === undefined ? `subscription request of '${text}': not an address` : `a presence of ${text} that is no request`)
    return
  }
  // What is kept is the stanza without its addresses: those are the account's and the contact's anyway.
  const bare = new XmlElement(presence.name, presence.ns, presence.attributes, presence.children)
  const wire = serialize(bare.setAttribute('from', undefined).setAttribute('to', undefined), NS_CLIENT)
  const key = jid.bare.toString()
  const known = records.get(key) ?? { jid: jid.bare, isListed: false }
  records.set(key, { ...known, request: wire.slice(PRESENCE_TAG.length) })
}

/** The card (XEP-0054). */
export function vcardSection(cards: ElementData): UserSection {
  return {
    name: 'vCard',
    takes: ({ name, ns }) => ns === NS_VCARD && name === 'vCard',
    read: (account) => cards.read(account),
    async write(account, elements) {
      await cards.write(account, elements.slice(0, 1))
      return elements.length > 1 ? ['more than one vCard: only the first was taken'] : []
    },
  }
}

/** Private XML storage (XEP-0049). */
export function privateXmlSection(storage: ElementData): UserSection {
  return wrapped('private XML', 'query', NS_PRIVATE, storage)
}

/** Messages that wait for the account to connect; elements of `jabber:client`, oldest first, each with its delay. */
export function offlineSection(messages: ElementData): UserSection {
  return wrapped('offline messages', 'offline-messages', NS_PIE, messages)
}

/** Elements inside one element that says what they are. */
function wrapped(title: string, name: string, ns: string, data: ElementData): UserSection {
  return {
    name: title,
    takes: (element) => element.name === name && element.ns === ns,
    async read(account) {
      const elements = await data.read(account)
      return elements.length === 0 ? [] : [new XmlElement(name, ns, {}, [...elements])]
    },
    async write(account, elements) {
      await data.write(account, elements.flatMap((element) => element.elements()))
      return []
    },
  }
}

/** Blocked addresses (XEP-0191), which XEP-0227 allows as an element of another namespace. */
export function blockSection(list: BlockData): UserSection {
  return {
    name: 'blocked addresses',
    takes: ({ name, ns }) => ns === NS_BLOCKING && name === 'blocklist',
    async read(account) {
      const blocked = await list.read(account)
      if (blocked.length === 0) return []
      return [new XmlElement('blocklist', NS_BLOCKING, {}, blocked.map((jid) => new XmlElement('item', NS_BLOCKING, { jid: jid.toString() })))]
    },
    async write(account, elements) {
      const texts = elements.flatMap((element) => element.elements('item')).map((item) => item.attribute('jid') ?? '')
      const jids = texts.map((text) => tryParseJid(text))
      await list.write(account, jids.filter((jid) => jid !== undefined))
      return texts.filter((_text, index) => jids[index] === undefined).map((text) => `blocked address '${text}': not an address`)
    },
  }
}

/** The account that a `<user/>` is; undefined when its name is no localpart. */
export function accountOf(user: XmlElement, host: string): Jid | undefined {
  try {
    const jid = jidOf(user.attribute('name') ?? '', host)
    return jid.localpart === '' ? undefined : jid
  } catch {
    return undefined
  }
}
