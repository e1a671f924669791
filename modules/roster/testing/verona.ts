/**
 * The scene of the wire scripts: juliet of capulet.example on a whole core with roster and presence, romeo of
 * montague.example on the other side of a component that plays his server.
 */
import type { AnyModule } from '@rollcall/module-api'
import type { StorageBackend, WriteOp } from '@rollcall/ports'
import { TestHost } from '../../../server/testing/test-host.ts'
import type { ScriptedEntity } from '../../../server/testing/scripted-entity.ts'
import presence from '../../presence/module.ts'
import roster from '../module.ts'
import type { RosterRow } from '../rows.ts'
import { subscriptionOf, subscriptionState } from '../subscription.ts'
import type { StateName } from './appendix-a.ts'

export const JULIET = 'juliet@capulet.example'
export const ROMEO = 'romeo@montague.example'
export const NURSE = 'nurse@capulet.example'

export interface SceneOptions {
  /** Options of the roster module. */
  readonly roster?: Readonly<Record<string, unknown>>
  readonly presence?: Readonly<Record<string, unknown>>
  readonly modules?: readonly AnyModule[]
  /** Options of the further modules. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly storage?: StorageBackend
}

/** A host with juliet, nurse, tybalt and paris. */
export function openScene(options: SceneOptions = {}): Promise<TestHost> {
  return TestHost.start({
    accounts: ['juliet', 'nurse', 'tybalt', 'paris'],
    modules: [roster, presence, ...(options.modules ?? [])],
    options: { ...options.options, roster: options.roster ?? {}, presence: options.presence ?? {} },
    ...(options.storage === undefined ? {} : { storage: options.storage }),
  })
}

/** Puts rows into an account's roster; before the account is loaded. */
export async function seed(host: TestHost, owner: string, rows: Readonly<Record<string, RosterRow>>): Promise<void> {
  const ops = Object.entries(rows).map(([key, row]): WriteOp => ({ op: 'map-set', store: 'roster', owner, key, value: { ...row } }))
  await host.storage.write(ops)
}

/** The row of a contact in a state of Appendix A; in `none` and `none + pending in` the contact is in the roster too. */
export function rowIn(state: StateName, extra: Partial<RosterRow> = {}): RosterRow {
  const bits = subscriptionState[state]
  return {
    version: 1,
    subscription: subscriptionOf(bits),
    ...((bits & 4) === 0 ? {} : { ask: true }),
    ...((bits & 8) === 0 ? {} : { request: ` type='subscribe' id='asked'/>` }),
    ...extra,
  }
}

/** The stored row of a contact. */
export async function storedRow(host: TestHost, owner: string, contact: string): Promise<RosterRow | undefined> {
  return (await host.storage.mapGet('roster', owner, contact)) as unknown as RosterRow | undefined
}

/** A client that has asked for its roster and is available; what came until then is forgotten. */
export async function enter(host: TestHost, localpart: string, resourcepart = 'orchard', stanza = '<presence/>'): Promise<ScriptedEntity> {
  const entity = await host.connect(localpart, resourcepart)
  await entity.request(`<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`)
  entity.send(stanza)
  await host.settle()
  entity.clear()
  return entity
}

/** A roster push as a pattern. */
export function push(to: string, item: string): string {
  return `<iq type='set' id='{any}' to='${to}'><query xmlns='jabber:iq:roster' ver='{any}'>${item}</query></iq>`
}
