/**
 * Notifications (XEP-0060 §7.1.2, §7.2.2, §8): made of wire strings, because payloads are kept as such and one notification
 * goes to many. What is made here has no recipient yet.
 */
import type { Jid } from '@rollcall/jid'
import { DataForm, formatDateTime, NS_DELAY, NS_PUBSUB_EVENT } from '@rollcall/protocol'
import type { DataFormInput, PubsubSubscriptionState } from '@rollcall/protocol'
import { Stanza } from '@rollcall/stanza'
import { escapeAttribute, serialize } from '@rollcall/xml'
import type { NodeConfig } from './config.ts'
import type { Item } from './node.ts'

/** An `<item/>` relative to the namespace around it: of a notification or of an answer. */
export function itemWire({ id, publisher, payload }: Omit<Item, 'at'>, isPayloadIncluded = true): string {
  const by = publisher === '' ? '' : ` publisher='${escapeAttribute(publisher)}'`
  const head = `<item id='${escapeAttribute(id)}'${by}`
  return payload === '' || !isPayloadIncluded ? `${head}/>` : `${head}>${payload}</item>`
}

const items = (node: string, content: string) => event(`<items node='${escapeAttribute(node)}'${content === '' ? '/>' : `>${content}</items>`}`)

function event(content: string): string {
  return `<event xmlns='${NS_PUBSUB_EVENT}'>${content}</event>`
}

/** An item was published; none for the event of a node that has no items (§4.3). */
export function publishedEvent(node: string, config: NodeConfig, item: Item | undefined): string {
  return items(node, item === undefined ? '' : itemWire(item, config.deliverPayloads))
}

export function retractedEvent(node: string, ids: readonly string[]): string {
  return items(node, ids.map((id) => `<retract id='${escapeAttribute(id)}'/>`).join(''))
}

export function purgedEvent(node: string): string {
  return event(`<purge node='${escapeAttribute(node)}'/>`)
}

/** `redirectUri` '' when the node is not continued anywhere. */
export function deletedEvent(node: string, redirectUri: string): string {
  const redirect = redirectUri === '' ? '/>' : `><redirect uri='${escapeAttribute(redirectUri)}'/></delete>`
  return event(`<delete node='${escapeAttribute(node)}'${redirect}`)
}

/** With the new configuration where payloads are delivered (§8.2.5.3). */
export function configuredEvent(node: string, form: DataFormInput | undefined): string {
  const content = form === undefined ? '/>' : `>${serialize(DataForm.encode(form), NS_PUBSUB_EVENT)}</configuration>`
  return event(`<configuration node='${escapeAttribute(node)}'${content}`)
}

/** §12.11. */
export function subscriptionEvent(node: string, jid: Jid, state: PubsubSubscriptionState): string {
  return event(`<subscription node='${escapeAttribute(node)}' jid='${jid.wire}' subscription='${state}'/>`)
}

export interface NotificationHead {
  readonly from: Jid
  /** Of the message (§12.2). */
  readonly id: string
  readonly type: NodeConfig['notificationType']
  /** ms since the Unix epoch, when the event is an older one (§6.1.7). */
  readonly delayedSince?: number
}

/** The message around an event, without recipient. */
export function notification({ from, id, type, delayedSince }: NotificationHead, eventWire: string): Stanza {
  const typeAttr = type === 'normal' ? '' : ` type='${type}'`
  const delay = delayedSince === undefined ? '' : `<delay xmlns='${NS_DELAY}' from='${from.wire}' stamp='${formatDateTime(delayedSince)}'/>`
  const children = [{ name: 'event', ns: NS_PUBSUB_EVENT, start: 0, end: eventWire.length }]
  if (delay !== '') children.push({ name: 'delay', ns: NS_DELAY, start: eventWire.length, end: eventWire.length + delay.length })
  return new Stanza('message', from, undefined, type === 'normal' ? '' : type, id, `${typeAttr} id='${escapeAttribute(id)}'`, eventWire + delay, children)
}
