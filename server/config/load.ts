/**
 * Reads the configuration: the file, the environment over it, defaults below; checks everything before it answers.
 *
 * Nothing is opened, created or bound here, so a running server can load a changed file, and `config check` can load any.
 */
import { readFileSync, statSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import type { AnyModule } from '@rollcall/module-api'
import { crossChecks } from './cross-checks.ts'
import { readEnvironment } from './environment.ts'
import type { Environment } from './environment.ts'
import { RollcallError } from './error-codes.ts'
import { CONFIG_BYTES_MAX, merged, parseYaml } from './raw.ts'
import type { Fault, Raw } from './raw.ts'
import { readConfig } from './read.ts'
import { schemaOf } from './schema.ts'
import { toServerConfig } from './server-config.ts'
import type { ServerConfig } from './server-config.ts'

export interface LoadOptions {
  /** The config file; undefined for none. */
  readonly file: string | undefined
  readonly env: Environment
  /** Those that could run: their options are the settings under `modules`. */
  readonly modules: readonly AnyModule[]
  /** Overrides the setting `data`. */
  readonly dataDir?: string
}

/** A configuration with mistakes: all of them, each with its place. */
export class ConfigError extends RollcallError {
  readonly faults: readonly Fault[]

  constructor(faults: readonly [Fault, ...Fault[]]) {
    super(faults[0].code, faults.map(({ place, message }) => `${place}: ${message}`).join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/** The configuration; throws `ConfigError` with every fault found. */
export function loadConfig({ file, env, modules, dataDir }: LoadOptions): ServerConfig {
  const schema = schemaOf(modules)
  const name = file === undefined ? 'environment' : shortName(file)
  const written = file === undefined ? { value: undefined, faults: [] } : parseYaml(readText(file, name), name)
  const variables = readEnvironment(env, schema)
  // What a broken file means cannot be known, so nothing more is said about it than where it is broken.
  refuse([...written.faults, ...variables.faults])
  const { value: settings, faults, places } = readConfig(schema, merged(topLevel(written.value, name), variables.value), name)
  refuse(inOrder(faults))
  const folder = file === undefined ? '.' : dirname(resolve(file))
  const placeOf = (path: string) => nearestPlace(places, path) ?? name
  refuse(inOrder(crossChecks(settings, placeOf, folder)))
  return toServerConfig(settings, { file: file === undefined ? undefined : resolve(file), folder, dataDir })
}

function refuse(faults: readonly Fault[]): void {
  const [first, ...rest] = faults
  if (first !== undefined) throw new ConfigError([first, ...rest])
}

function topLevel(value: Raw | undefined, name: string): Raw | undefined {
  if (value === undefined || value.kind === 'map') return value
  if (value.kind === 'scalar' && value.value === null) return undefined
  throw new ConfigError([{ code: 'config-syntax', place: value.place, message: `${name} must hold settings, such as 'hosts:'` }])
}

/** By line, so that the list reads like the file. */
function inOrder(faults: readonly Fault[]): Fault[] {
  const line = ({ place }: Fault) => Number(/:(\d+)$/.exec(place)?.[1] ?? Infinity)
  return faults.toSorted((a, b) => line(a) - line(b) || 0)
}

function nearestPlace(places: ReadonlyMap<string, string>, path: string): string | undefined {
  for (let rest = path; rest !== ''; rest = rest.slice(0, Math.max(rest.lastIndexOf('.'), rest.lastIndexOf('[')))) {
    const place = places.get(rest)
    if (place !== undefined) return place
    if (!rest.includes('.') && !rest.includes('[')) return undefined
  }
  return undefined
}

/** The path as people would type it here. */
function shortName(file: string): string {
  const path = relative('.', file)
  return path.startsWith('..') ? resolve(file) : path
}

function readText(file: string, name: string): string {
  const unreadable = (message: string) => new ConfigError([{ code: 'config-unreadable', place: name, message }])
  try {
    const stat = statSync(file)
    if (!stat.isFile()) throw unreadable('is not a file')
    if (stat.size > CONFIG_BYTES_MAX) throw unreadable(`is larger than ${CONFIG_BYTES_MAX} bytes: this is no config file`)
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw unreadable('there is no such file: see `rollcall config example`')
    if (code === 'EACCES') throw unreadable('cannot be read: make it readable for this user')
    if (error instanceof TypeError) throw unreadable('is not UTF-8 text')
    throw unreadable(`cannot be read: ${(error as Error).message}`)
  }
}
