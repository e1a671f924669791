/** The push services that an account's clients enabled (XEP-0357 §5): in memory while the account is warm, and in storage. */
import { parseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { Session } from '@rollcall/module-api'
import type { Rows } from '@rollcall/ports'

/** One field of the publish options, as the client gave it. A type, not an interface, so that it counts as JSON. */
export type OptionField = { readonly var: string; readonly values: readonly string[] }

export type RegistrationRow = {
  readonly jid: string
  readonly node: string
  readonly options: readonly OptionField[]
  /** Which client enabled it: its resource, and its installation where it named one. */
  readonly resource: string
  readonly client: string
  /** ms since the Unix epoch. */
  readonly at: number
}

/** One node of one push service. */
export class Registration {
  readonly jid: Jid
  readonly row: RegistrationRow
  readonly key: string

  constructor(row: RegistrationRow) {
    this.row = row
    this.jid = parseJid(row.jid)
    this.key = keyOf(this.jid, row.node)
  }

  /** Whether the session is that of the client which enabled this, now or when it was last here. */
  isOf(session: Session): boolean {
    const { client, resource } = this.row
    return resource === session.jid.resourcepart || (client !== '' && client === session.origin.clientId)
  }
}

/** Most accounts have none, and share this. */
const none: ReadonlyMap<string, Registration> = new Map()

export class Registrations {
  #byKey: ReadonlyMap<string, Registration> = none

  constructor(rows: Iterable<RegistrationRow> = []) {
    for (const row of rows) this.put(new Registration(row))
  }

  static fromRows(rows: Rows<RegistrationRow>): Registrations {
    const registrations = new Registrations()
    rows.forEach((row) => registrations.put(new Registration(row)))
    return registrations
  }

  get size(): number {
    return this.#byKey.size
  }

  get rows(): readonly RegistrationRow[] {
    return [...this.#byKey.values()].map(({ row }) => row)
  }

  all(): Iterable<Registration> {
    return this.#byKey.values()
  }

  get(key: string): Registration | undefined {
    return this.#byKey.get(key)
  }

  put(registration: Registration): void {
    this.#byKey = new Map(this.#byKey).set(registration.key, registration)
  }

  /** False when it is not there, or was enabled anew. Judged by content: the account may have been loaded again meanwhile. */
  remove(registration: Registration): boolean {
    if (this.#byKey.get(registration.key)?.row.at !== registration.row.at) return false
    const byKey = new Map(this.#byKey)
    byKey.delete(registration.key)
    this.#byKey = byKey.size === 0 ? none : byKey
    return true
  }

  /** The nodes of a service, or the one that is named. */
  of(jid: Jid, node: string | undefined): Registration[] {
    return [...this.#byKey.values()].filter((one) => one.jid.equals(jid) && (node === undefined || one.row.node === node))
  }
}

export function keyOf(jid: Jid, node: string): string {
  return JSON.stringify([jid.toString(), node])
}
