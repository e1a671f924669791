/**
 * A load profile: who is there and what they do, as data. Profiles are YAML files in `load/profiles` or anywhere; every
 * field has a default taken from published studies of messaging systems, so a profile says only what makes it special.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

/** How a session of a flapping or stormy client ends: presence only, TCP cut, or closed as the protocol says. */
export type EndKind = 'toggle' | 'abrupt' | 'clean'

/** One moment at which many clients lose their connection and come back. */
export interface Storm {
  readonly atSeconds: number
  /** Of the clients that are online. */
  readonly share: number
  /** They come back within this time, evenly spread. */
  readonly overSeconds: number
}

/** Times are of the run unless a name says otherwise; rates per hour are of life, which `timeFactor` speeds up. */
export interface Profile {
  readonly name: string
  readonly description: string
  /** Everything random is drawn from it. */
  readonly seed: number
  readonly users: number
  readonly durationSeconds: number
  /** Hours of life in one hour of the run: rates are multiplied by it, sessions divided. */
  readonly timeFactor: number
  /** Clients of one account, mean. */
  readonly resourcesMean: number
  /** Part of the clients online at a time; 1 means that sessions do not end by themselves. */
  readonly onlineShare: number
  readonly roster: { readonly median: number; readonly mean: number; readonly max: number }
  /** Users whom a part of everybody has as a contact, and how often these change their state. */
  readonly celebrities: { readonly count: number; readonly followersShare: number; readonly changesPerHour: number }
  /** Session lengths: a power law. */
  readonly session: { readonly exponent: number; readonly minMinutes: number; readonly maxHours: number; readonly abruptShare: number }
  /** State changes of one client besides login and logout: its rate is drawn from this range. */
  readonly changesPerHour: readonly [number, number]
  readonly messages: {
    readonly perHour: readonly [number, number]
    readonly bodyMedianBytes: number
    readonly bodySigma: number
    readonly bodyBytesMax: number
    /** Part of the messages that go to the bare JID (of users with one client: there it is exact who gets them). */
    readonly toBareShare: number
  }
  readonly logins: { readonly perSecond: number }
  readonly storms: readonly Storm[]
  readonly flapping: { readonly share: number; readonly periodSeconds: number; readonly how: EndKind }
  /** Clients that stop reading for a while. */
  readonly slowReaders: { readonly share: number; readonly everySeconds: number; readonly pauseSeconds: number }
}

/** A profile file is wrong; the message names file and field. */
export class ProfileError extends Error {}

/** Published figures; see the README beside for the sources' ranges. */
export const defaultProfile: Profile = {
  name: 'default',
  description: '',
  seed: 1,
  users: 1000,
  durationSeconds: 60,
  timeFactor: 60,
  resourcesMean: 1.2,
  onlineShare: 1,
  roster: { median: 20, mean: 40, max: 500 },
  celebrities: { count: 0, followersShare: 0, changesPerHour: 10 },
  session: { exponent: 1.77, minMinutes: 1, maxHours: 12, abruptShare: 0.2 },
  changesPerHour: [4, 12],
  messages: { perHour: [2, 8], bodyMedianBytes: 100, bodySigma: 0.8, bodyBytesMax: 4000, toBareShare: 0.1 },
  logins: { perSecond: 200 },
  storms: [],
  flapping: { share: 0, periodSeconds: 20, how: 'abrupt' },
  slowReaders: { share: 0, everySeconds: 20, pauseSeconds: 5 },
}

type Bounds = readonly [min: number, max: number]

/** Every number of a profile by its path, with its bounds: nothing that a profile asks for is unbounded. */
const BOUNDS: Readonly<Record<string, Bounds>> = {
  seed: [0, 0xffff_ffff],
  users: [2, 200_000],
  durationSeconds: [0.1, 86_400],
  timeFactor: [0.001, 1_000_000],
  resourcesMean: [1, 3],
  onlineShare: [0.01, 1],
  'roster.median': [0, 10_000],
  'roster.mean': [0, 10_000],
  'roster.max': [0, 10_000],
  'celebrities.count': [0, 1000],
  'celebrities.followersShare': [0, 1],
  'celebrities.changesPerHour': [0, 1_000_000],
  'session.exponent': [1.01, 5],
  'session.minMinutes': [0.01, 1440],
  'session.maxHours': [0.01, 240],
  'session.abruptShare': [0, 1],
  changesPerHour: [0, 1_000_000],
  'messages.perHour': [0, 1_000_000],
  'messages.bodyMedianBytes': [1, 100_000],
  'messages.bodySigma': [0, 3],
  'messages.bodyBytesMax': [64, 100_000],
  'messages.toBareShare': [0, 1],
  'logins.perSecond': [0.1, 100_000],
  'storms.atSeconds': [0, 86_400],
  'storms.share': [0, 1],
  'storms.overSeconds': [0, 3600],
  'flapping.share': [0, 1],
  'flapping.periodSeconds': [0.05, 3600],
  'slowReaders.share': [0, 1],
  'slowReaders.everySeconds': [0.1, 3600],
  'slowReaders.pauseSeconds': [0.01, 3600],
}

const STORMS_MAX = 100
const stormExample: Storm = { atSeconds: 10, share: 1, overSeconds: 5 }
const endKinds: readonly string[] = ['toggle', 'abrupt', 'clean'] satisfies readonly EndKind[]
const profileFolder = fileURLToPath(new URL('../profiles/', import.meta.url))

/** Names of the profiles in the box. */
export function profileNames(): readonly string[] {
  return readdirSync(profileFolder).filter((file) => file.endsWith('.yaml')).map((file) => basename(file, '.yaml')).sort()
}

/** Reads a profile by its name in the box, or by the path of a file (anything with a slash or `.yaml`). Throws ProfileError. */
export function loadProfile(nameOrFile: string): Profile {
  const isFile = nameOrFile.includes('/') || /\.ya?ml$/.test(nameOrFile)
  if (!isFile && !profileNames().includes(nameOrFile)) {
    throw new ProfileError(`no profile ${nameOrFile}; there are ${profileNames().join(', ')}, or give the path of a YAML file`)
  }
  const file = isFile ? nameOrFile : join(profileFolder, `${nameOrFile}.yaml`)
  let value: unknown
  try {
    value = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new ProfileError(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  return readProfile(value, file)
}

/** A profile from parsed YAML or JSON. Throws ProfileError naming `source` and the field. */
export function readProfile(value: unknown, source: string): Profile {
  const fail = (path: string, problem: string): never => {
    throw new ProfileError(`${source}: ${path === '' ? 'the profile' : path} ${problem}`)
  }
  const profile = read(value, defaultProfile, '', fail) as Profile
  if (profile.session.minMinutes >= profile.session.maxHours * 60) fail('session', 'minMinutes must be below maxHours')
  return profile
}

type Fail = (path: string, problem: string) => never

/** Reads `value` into the shape of `like`, whose values stand for what is missing. */
function read(value: unknown, like: unknown, path: string, fail: Fail): unknown {
  if (value === undefined) return like
  if (typeof like === 'number') return readNumber(value, path, fail)
  if (like === defaultProfile.storms) return readStorms(value, fail)
  if (Array.isArray(like)) return readRange(value, path, fail)
  if (typeof like === 'string') return readText(value, path, fail)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(path, 'must be a mapping')
  const shape = like as Record<string, unknown>
  const unknown = Object.keys(value).find((key) => !Object.hasOwn(shape, key))
  if (unknown !== undefined) fail(joined(path, unknown), `is unknown; there are ${Object.keys(shape).join(', ')}`)
  const given = value as Record<string, unknown>
  return Object.fromEntries(Object.keys(shape).map((key) => [key, read(given[key], shape[key], joined(path, key), fail)]))
}

const joined = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)

function readNumber(value: unknown, path: string, fail: Fail): number {
  const [min, max] = BOUNDS[path]!
  if (typeof value !== 'number' || !(value >= min && value <= max)) return fail(path, `must be a number from ${min} to ${max}`)
  return value
}

function readRange(value: unknown, path: string, fail: Fail): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) return fail(path, 'must be two numbers: the least and the most')
  const low = readNumber(value[0], path, fail)
  const high = readNumber(value[1], path, fail)
  return low <= high ? [low, high] : fail(path, 'must start with the smaller number')
}

function readText(value: unknown, path: string, fail: Fail): string {
  if (typeof value !== 'string') return fail(path, 'must be text')
  if (path === 'flapping.how' && !endKinds.includes(value)) return fail(path, `must be one of ${endKinds.join(', ')}`)
  return value
}

function readStorms(value: unknown, fail: Fail): readonly Storm[] {
  if (!Array.isArray(value) || value.length > STORMS_MAX) return fail('storms', `must be a list of at most ${STORMS_MAX}`)
  return value.map((storm) => read(storm ?? {}, stormExample, 'storms', fail) as Storm)
}
