/** XEP-0386: Bind 2, version 1.1.0. */
import { attr } from './attr.ts'
import { child, children, childText, extensions } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_BIND2 = 'urn:xmpp:bind:0'

/** A feature that can be turned on while binding, by its namespace or disco name (XEP-0386 §3.1). */
export const Bind2InlineFeature = element(NS_BIND2, 'feature', { var: attr.string('var') })
export type Bind2InlineFeature = Infer<typeof Bind2InlineFeature>

/** All of them. */
export const Bind2Inline = element(NS_BIND2, 'inline', { features: children(Bind2InlineFeature) })
export type Bind2Inline = Infer<typeof Bind2Inline>

/** Among the inline features of SASL2: a resource can be bound (XEP-0386 §3.1). */
export const Bind2Feature = element(NS_BIND2, 'bind', { inline: child(Bind2Inline).optional() })
export type Bind2Feature = Infer<typeof Bind2Feature>

/** Asks for a resource (XEP-0386 §3.2). */
export const Bind2Request = element(NS_BIND2, 'bind', {
  /** Names the software; becomes part of the resourcepart. */
  tag: childText('tag').optional(),
  /** Features to turn on. */
  requests: extensions(),
})
export type Bind2Request = Infer<typeof Bind2Request>

/** In the success of SASL2: the resource is bound (XEP-0386 §3.2), with what the features answer. */
export const Bind2Bound = element(NS_BIND2, 'bound', { results: extensions() })
export type Bind2Bound = Infer<typeof Bind2Bound>
