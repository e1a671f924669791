/**
 * Who takes part in the overload run: a crowd whose traffic is the load, and a few uninvolved who write to each other and feel
 * what the crowd does to the server. Everybody is in one file of accounts, told apart by the beginning of the name.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rollcall } from '../support/processes.ts'

export const CONTACTS = 30
export const PROBES = 40
/** Of a crowd. */
export const LOGINS_PER_SECOND = 100
const PROBE_STEPS = [-2, -1, 1, 2] as const

/** How a crowd behaves beside writing and changing state. */
export interface Crowd {
  readonly users: number
  readonly seconds: number
  /** A part stops reading again and again, and halfway a part loses its connection and comes back. */
  readonly isStormy: boolean
}

const profileText = (name: string, users: number, contacts: number, seconds: number, rest: readonly string[]): string => `name: ${name}
description: For bench/overload.
users: ${users}
durationSeconds: ${seconds}
resourcesMean: 1
timeFactor: 60
roster: { median: ${contacts}, mean: ${contacts}, max: ${contacts} }
logins: { perSecond: ${LOGINS_PER_SECOND} }
${rest.join('\n')}
`

/** A change and half a message a second from everybody, at factor 1. */
export function crowdProfile({ users, seconds, isStormy }: Crowd): string {
  return profileText('crowd', users, CONTACTS, seconds, [
    'changesPerHour: [60, 60]', 'messages: { perHour: [30, 30], toBareShare: 0 }',
    ...(isStormy ? [
      `storms: [{ atSeconds: ${seconds / 2}, share: 0.2, overSeconds: 1 }]`, 'slowReaders: { share: 0.1, everySeconds: 10, pauseSeconds: 6 }',
    ] : []),
  ])
}

/** A message a second from each of the uninvolved. */
export function probeProfile(seconds: number): string {
  return profileText('probe', PROBES, PROBE_STEPS.length, seconds, ['changesPerHour: [0, 0]', 'messages: { perHour: [60, 60], toBareShare: 0 }'])
}

/**
 * Makes a file of accounts with a crowd for each of `crowds` and uninvolved people for each of `probes`. Nobody is in two
 * runs, so that what waits for somebody who was cut off surprises nobody in the next.
 */
export async function makeAccounts(folder: string, users: number, crowds: readonly string[], probes: readonly string[]): Promise<string> {
  const profile = join(folder, 'accounts.yaml')
  const one = join(folder, 'crowd.tsv')
  const all = join(folder, 'accounts.tsv')
  writeFileSync(profile, crowdProfile({ users, seconds: 1, isStormy: false }))
  await rollcall(['load', 'accounts', profile, '--out', one])
  const crowd = readFileSync(one, 'utf8')
  writeFileSync(all, crowds.map((name) => crowd.replaceAll(/\bload(?=\d)/g, `${name}-`)).join(''))
  for (const probe of probes) {
    const name = (at: number): string => `${probe}-${(at + PROBES) % PROBES}`
    const lines = Array.from({ length: PROBES }, (_, at) => `${name(at)}\tload\t${PROBE_STEPS.map((step) => name(at + step)).join(',')}\n`)
    appendFileSync(all, lines.join(''))
  }
  return all
}
