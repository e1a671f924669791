/** The few things that codecs do with XML elements, in one place. */
import { XmlElement } from '@rollcall/xml'

/** An element that is being encoded. */
export interface Draft {
  readonly name: string
  readonly ns: string
  readonly attributes: Record<string, string>
  readonly children: (XmlElement | string)[]
}

export function makeElement(
  name: string,
  ns: string,
  attributes: Readonly<Record<string, string>> = {},
  content: readonly (XmlElement | string)[] = [],
): XmlElement {
  return new XmlElement(name, ns, attributes, content)
}

export function finishElement(draft: Draft): XmlElement {
  return makeElement(draft.name, draft.ns, draft.attributes, draft.children)
}

export function childElements(element: XmlElement): XmlElement[] {
  return element.children.filter((node) => typeof node !== 'string')
}

export function getAttribute(element: XmlElement, name: string): string | undefined {
  return Object.hasOwn(element.attributes, name) ? element.attributes[name] : undefined
}

export function setAttribute(draft: Draft, name: string, value: string): void {
  draft.attributes[name] = value
}
