/** XEP-0030: Service Discovery, version 2.5.0. With the form of XEP-0128 in results of disco#info. */
import { attr } from './attr.ts'
import { child, children } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { DataForm } from './xep0004.ts'
import { ResultSet } from './xep0059.ts'

export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info'
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items'

/** What an entity is (XEP-0030 §3.1); categories and types are registered. */
export const DiscoIdentity = element(NS_DISCO_INFO, 'identity', {
  category: attr.string('category'),
  type: attr.string('type'),
  name: attr.string('name').optional(),
  lang: attr.string('xml:lang').optional(),
})
export type DiscoIdentity = Infer<typeof DiscoIdentity>

/** A protocol that the entity supports (XEP-0030 §3.1), by its namespace. */
export const DiscoFeature = element(NS_DISCO_INFO, 'feature', { var: attr.string('var') })
export type DiscoFeature = Infer<typeof DiscoFeature>

/** Request and result of disco#info; `forms` are the extensions of XEP-0128. */
export const DiscoInfo = element(NS_DISCO_INFO, 'query', {
  node: attr.string('node').optional(),
  identities: children(DiscoIdentity),
  features: children(DiscoFeature),
  forms: children(DataForm),
})
export type DiscoInfo = Infer<typeof DiscoInfo>
export type DiscoInfoInput = Input<typeof DiscoInfo>

/** An entity or node that belongs to another (XEP-0030 §4). */
export const DiscoItem = element(NS_DISCO_ITEMS, 'item', {
  jid: attr.jid('jid'),
  node: attr.string('node').optional(),
  name: attr.string('name').optional(),
})
export type DiscoItem = Infer<typeof DiscoItem>

/** Request and result of disco#items; long lists may be paged by XEP-0059. */
export const DiscoItems = element(NS_DISCO_ITEMS, 'query', {
  node: attr.string('node').optional(),
  items: children(DiscoItem),
  page: child(ResultSet).optional(),
})
export type DiscoItems = Infer<typeof DiscoItems>
export type DiscoItemsInput = Input<typeof DiscoItems>
