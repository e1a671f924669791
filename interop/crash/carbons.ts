/** Copies of messages (XEP-0280), as a client reads them. */
import type { XmlElement } from '@rollcall/xml'
import { NS } from './names.ts'

export interface Carbon {
  readonly direction: 'sent' | 'received'
  readonly message: XmlElement
}

/** The copy in a message, if it is one. */
export function carbonOf(message: XmlElement): Carbon | undefined {
  for (const direction of ['received', 'sent'] as const) {
    const copied = message.child(direction, NS.carbons)?.child('forwarded', NS.forward)?.child('message', NS.client)
    if (copied !== undefined) return { direction, message: copied }
  }
  return undefined
}
