/** The element that is being encoded, before it becomes an XmlElement. */
import { XmlElement } from '@rollcall/xml'
import type { XmlNode } from '@rollcall/xml'

/** What fields write to. */
export interface Draft {
  readonly name: string
  readonly ns: string
  readonly attributes: Map<string, string>
  readonly children: XmlNode[]
}

export function startDraft(name: string, ns: string): Draft {
  return { name, ns, attributes: new Map(), children: [] }
}

export function finishDraft(draft: Draft): XmlElement {
  return new XmlElement(draft.name, draft.ns, draft.attributes, draft.children)
}
