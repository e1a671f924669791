/**
 * Modules become live here: their options are checked, their ports resolved in dependency order, their `setup` run.
 *
 * Everything that can be wrong with a set of modules is found at boot and named: unknown module in the configuration,
 * bad option, missing or doubly provided port, a cycle of needs.
 */
import type { AnyModule, FilterScope, IqReply, ModuleContext, Option, Port, PreAuthIq, SessionSlot } from '@rollcall/module-api'
import type { ElementCodec } from '@rollcall/stanza'
import { openStore } from '@rollcall/ports'
import type { Log, StorageBackend } from '@rollcall/ports'
import type { AccountRegistry } from './account-registry.ts'
import type { BindInline } from './bind-inline.ts'
import type { HookChains } from './hook-chains.ts'
import type { IqDispatch } from './iq-dispatch.ts'

export interface LoaderPorts {
  readonly storage: StorageBackend
  readonly registry: AccountRegistry
  readonly hooks: HookChains
  readonly iqs: IqDispatch
  readonly log: Log
  readonly bindInline: BindInline
}

/** A configuration that cannot be run; the message names the module, the option and the fix. */
export class ModuleConfigError extends Error {
  override readonly name = 'ModuleConfigError'
}

export type PreAuthHandler = (request: PreAuthIq<never>) => IqReply | Promise<IqReply>

export interface PreAuthRegistration {
  readonly codec: ElementCodec<unknown>
  readonly handle: PreAuthHandler
}

type ModuleOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export class ModuleLoader {
  readonly #ports: LoaderPorts
  readonly #provided = new Map<string, unknown>()
  readonly #stops: (() => void | Promise<void>)[] = []
  readonly #features: { when: 'before-auth' | 'after-auth'; read: (host: string) => string }[] = []
  readonly #preAuth = new Map<string, PreAuthRegistration>()
  /** Session slots by name, for hand-off. */
  readonly sessionSlots = new Map<string, SessionSlot<unknown>>()
  #loaded: readonly AnyModule[] = []

  constructor(ports: LoaderPorts) {
    this.#ports = ports
  }

  /** Offers a port of the core or of the runtime. */
  offer<T>(port: Port<T>, implementation: T): void {
    if (this.#provided.has(port.portName)) throw new ModuleConfigError(`Port '${port.portName}' is provided twice`)
    this.#provided.set(port.portName, implementation)
  }

  /** A port that some module provides, if one does. */
  find<T>(port: Port<T>): T | undefined {
    return this.#provided.get(port.portName) as T | undefined
  }

  /** The modules in use, in the order of their set-up. */
  get loaded(): readonly AnyModule[] {
    return this.#loaded
  }

  /** Sets up every module that the options leave on. */
  async load(modules: readonly AnyModule[], options: ModuleOptions): Promise<void> {
    const names = new Set(modules.map((module) => module.name))
    for (const name of Object.keys(options)) {
      if (!names.has(name)) throw new ModuleConfigError(`modules.${name}: there is no such module; known are ${[...names].sort().join(', ')}`)
    }
    const enabled = modules.filter((module) => isEnabled(module, options[module.name]))
    this.#loaded = inOrder(enabled, new Set(this.#provided.keys()))
    for (const module of this.#loaded) {
      for (const ns of module.costly ?? []) this.#ports.iqs.addCostly(ns)
      await module.setup(this.#contextOf(module, readOptions(module, options[module.name] ?? {})))
      for (const port of module.provides ?? []) {
        if (!this.#provided.has(port.portName)) throw new ModuleConfigError(`Module '${module.name}' did not provide '${port.portName}'`)
      }
    }
  }

  /** Runs the modules' stop functions, last set-up first. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.reverse()) {
      try {
        await stop()
      } catch (error) {
        this.#ports.log.error('module-stop-failed', { error })
      }
    }
  }

  /** Wire string of the stream features that modules declared. */
  streamFeatures(when: 'before-auth' | 'after-auth', host: string): string {
    return this.#features.filter((feature) => feature.when === when).map((feature) => feature.read(host)).join('')
  }

  preAuthHandler(type: string, ns: string, name: string): PreAuthRegistration | undefined {
    return this.#preAuth.get(`${type} ${ns} ${name}`)
  }

  #contextOf(module: AnyModule, config: Record<string, unknown>): Parameters<AnyModule['setup']>[0] {
    const { storage, registry, hooks, iqs, bindInline } = this.#ports
    const stores = Object.fromEntries(
      Object.entries(module.stores ?? {}).map(([key, declaration]) => [key, openStore(storage, declaration)]),
    )
    const ports = Object.fromEntries(
      Object.entries({ ...module.needs, ...module.wants }).map(([key, port]) => [key, this.#provided.get(port.portName)]),
    )
    const context: ModuleContext<{}, {}, {}> = {
      config,
      stores,
      ports,
      provide: (port, implementation) => {
        if (!(module.provides ?? []).includes(port)) throw new ModuleConfigError(`Module '${module.name}' does not declare '${port.portName}'`)
        this.offer(port, implementation)
      },
      accountSlot: (slot) => registry.slots.add(slot),
      sessionSlot: (slot) => {
        this.sessionSlots.set(slot.slotName, slot)
        return slot
      },
      on: (hook: never, stage: never, handler: never, scope?: FilterScope) => hooks.add(hook, module.name, stage, handler, scope),
      emit: (hook, event) => hooks.observe(hook).run(event),
      onIqGet: (codec, scope, handler) => iqs.register('get', codec, scope, handler),
      onIqSet: (codec, scope, handler) => iqs.register('set', codec, scope, handler),
      onPreAuthIq: (type, codec, handler) => {
        this.#preAuth.set(`${type} ${codec.ns} ${codec.name}`, { codec: codec, handle: handler })
      },
      onBindInline: (codec, handler, feature) => bindInline.add(codec, handler, feature),
      onBound: (handler) => bindInline.addResult(handler),
      streamFeature: (when, read) => this.#features.push({ when, read }),
      onStop: (stop) => this.#stops.push(stop),
    }
    return context
  }
}

function isEnabled(module: AnyModule, options: Readonly<Record<string, unknown>> | undefined): boolean {
  const enabled = options?.['enabled']
  if (enabled === undefined) return module.isOffByDefault !== true
  if (typeof enabled !== 'boolean') throw new ModuleConfigError(`modules.${module.name}.enabled: must be true or false`)
  return enabled
}

function readOptions(module: AnyModule, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const declared = module.config ?? {}
  for (const key of Object.keys(given)) {
    if (key !== 'enabled' && !(key in declared)) {
      throw new ModuleConfigError(`modules.${module.name}.${key}: unknown option; known are ${['enabled', ...Object.keys(declared)].join(', ')}`)
    }
  }
  return Object.fromEntries(Object.entries(declared).map(([key, option]) => {
    const value = given[key]
    if (value === undefined) return [key, option.default]
    const fault = optionFault(option, value)
    if (fault !== undefined) throw new ModuleConfigError(`modules.${module.name}.${key}: ${fault}`)
    return [key, value]
  }))
}

/** What is wrong with a value for an option, or undefined when nothing is. */
export function optionFault(option: Option<unknown>, value: unknown): string | undefined {
  switch (option.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'must be true or false'
    case 'integer':
    case 'number': {
      const isRight = typeof value === 'number' && Number.isFinite(value) && (option.type === 'number' || Number.isInteger(value))
      if (!isRight) return option.type === 'integer' ? 'must be a whole number' : 'must be a number'
      const isInRange = value >= (option.min ?? -Infinity) && value <= (option.max ?? Infinity)
      return isInRange ? undefined : `must be from ${option.min} to ${option.max}`
    }
    case 'string':
      return typeof value === 'string' ? undefined : 'must be text'
    case 'strings':
      return Array.isArray(value) && value.every((item) => typeof item === 'string') ? undefined : 'must be a list of texts'
    case 'choice':
      return typeof value === 'string' && option.choices?.includes(value) ? undefined : `must be one of ${option.choices?.join(', ')}`
  }
}

/** Providers before those who need them; names decide the rest, so that the order is the same everywhere. */
function inOrder(modules: readonly AnyModule[], offered: ReadonlySet<string>): AnyModule[] {
  const providers = new Map<string, AnyModule>()
  for (const module of modules) {
    for (const port of module.provides ?? []) {
      if (providers.has(port.portName) || offered.has(port.portName)) throw new ModuleConfigError(`Port '${port.portName}' is provided twice`)
      providers.set(port.portName, module)
    }
  }
  const sorted: AnyModule[] = []
  const state = new Map<AnyModule, 'visiting' | 'done'>()
  const visit = (module: AnyModule, path: readonly string[]) => {
    if (state.get(module) === 'done') return
    if (state.get(module) === 'visiting') throw new ModuleConfigError(`Modules need each other in a circle: ${[...path, module.name].join(' → ')}`)
    state.set(module, 'visiting')
    const needed = Object.values(module.needs ?? {})
    for (const port of [...needed, ...Object.values(module.wants ?? {})]) {
      const provider = providers.get(port.portName)
      if (provider !== undefined) visit(provider, [...path, module.name])
      else if (needed.includes(port) && !offered.has(port.portName)) {
        throw new ModuleConfigError(`Module '${module.name}' needs '${port.portName}', which nothing provides: turn on the module that does`)
      }
    }
    state.set(module, 'done')
    sorted.push(module)
  }
  for (const module of [...modules].sort((a, b) => (a.name < b.name ? -1 : 1))) visit(module, [])
  return sorted
}
