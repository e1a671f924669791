/**
 * A stanza as plain JSON data: for snapshots, buses between processes, and storage of what must be sent again later.
 * Wire strings stay as they are, so neither side scans anything.
 */
import { parseJid } from '@rollcall/jid'
import { Stanza } from './stanza.ts'
import type { StanzaKind } from './stanza.ts'

/** Version 1; readers ignore further elements. A type, not an interface, so that it counts as JSON. */
export type StanzaRecord = {
  readonly kind: StanzaKind
  readonly from: string
  readonly to: string
  readonly type: string
  readonly id: string
  readonly attrs: string
  readonly content: string
  /** Per child: name, namespace, start, end. */
  readonly children: readonly (readonly [string, string, number, number])[]
}

export function encodeStanza(stanza: Stanza): StanzaRecord {
  return {
    kind: stanza.kind,
    from: stanza.from?.toString() ?? '',
    to: stanza.to?.toString() ?? '',
    type: stanza.type,
    id: stanza.id,
    attrs: stanza.attrs,
    content: stanza.content,
    children: stanza.children.map((child) => [child.name, child.ns, child.start, child.end] as const),
  }
}

/** Throws `JidError` when the addresses are not JIDs: the record was not written by `encodeStanza`. */
export function decodeStanza(record: StanzaRecord): Stanza {
  const from = record.from === '' ? undefined : parseJid(record.from)
  const to = record.to === '' ? undefined : parseJid(record.to)
  const children = record.children.map(([name, ns, start, end]) => ({ name, ns, start, end }))
  return new Stanza(record.kind, from, to, record.type, record.id, record.attrs, record.content, children)
}
