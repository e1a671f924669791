/**
 * Hooks as the core runs them: one chain per hook, sorted once by stage and module name, then only read.
 *
 * Why chains instead of one registry call: the hot path holds the chain object itself, so that a hook nobody listens to
 * costs one length check.
 */
import { StanzaError } from '@rollcall/stanza'
import type { Stanza, StanzaKind } from '@rollcall/stanza'
import { dropped } from '@rollcall/module-api'
import type {
  Account, ClaimHandler, ClaimHook, ClaimResult, FilterHandler, FilterHook, FilterScope, ObserveHandler, ObserveHook, Stage,
} from '@rollcall/module-api'
import type { Log } from '@rollcall/ports'

type AnyHook = ObserveHook<never> | FilterHook<never> | ClaimHook<never>

interface Entry<H> {
  readonly moduleName: string
  readonly stage: Stage
  readonly handle: H
  readonly scope: FilterScope
}

const stageOrder: Record<Stage, number> = { early: 0, normal: 1, late: 2 }

abstract class Chain<H> {
  readonly hookName: string
  protected readonly log: Log
  protected entries: readonly Entry<H>[] = []

  constructor(hookName: string, log: Log) {
    this.hookName = hookName
    this.log = log
  }

  get isEmpty(): boolean {
    return this.entries.length === 0
  }

  add(moduleName: string, stage: Stage, handle: H, scope: FilterScope = {}): void {
    const byPlace = (a: Entry<H>, b: Entry<H>) =>
      stageOrder[a.stage] - stageOrder[b.stage] || (a.moduleName < b.moduleName ? -1 : a.moduleName > b.moduleName ? 1 : 0)
    this.entries = [...this.entries, { moduleName, stage, handle, scope }].sort(byPlace)
  }

  protected logDefect(entry: Entry<H>, error: unknown): void {
    this.log.error('hook-failed', { hook: this.hookName, module: entry.moduleName, error })
  }
}

export class ObserveChain<E> extends Chain<ObserveHandler<E>> {
  run(event: E): void {
    for (const entry of this.entries) {
      try {
        entry.handle(event)
      } catch (error) {
        this.logDefect(entry, error)
      }
    }
  }
}

export class FilterChain<E extends { readonly stanza: Stanza }> extends Chain<FilterHandler<E>> {
  #byKind: Record<StanzaKind, readonly Entry<FilterHandler<E>>[]> = { message: [], presence: [], iq: [] }

  override add(moduleName: string, stage: Stage, handle: FilterHandler<E>, scope: FilterScope = {}): void {
    super.add(moduleName, stage, handle, scope)
    const of = (kind: StanzaKind) => this.entries.filter((entry) => entry.scope.kinds?.includes(kind) ?? true)
    this.#byKind = { message: of('message'), presence: of('presence'), iq: of('iq') }
  }

  /** Whether a handler looks at stanzas of the kind at all. */
  handles(kind: StanzaKind): boolean {
    return this.#byKind[kind].length > 0
  }

  /** Whether a handler may do something to the stanza for the account. One that throws when asked may. */
  concerns(account: Account, stanza: Stanza): boolean {
    for (const entry of this.#byKind[stanza.kind]) {
      try {
        if (entry.scope.concerns?.(account, stanza) !== false) return true
      } catch (error) {
        this.logDefect(entry, error)
        return true
      }
    }
    return false
  }

  /** The stanza to go on with, or undefined when a filter dropped it. Throws only `StanzaError`: filters fail closed. */
  run(event: E): Stanza | undefined {
    let current = event
    for (const entry of this.#byKind[event.stanza.kind]) {
      const result = this.#runOne(entry, current)
      if (result === dropped) return undefined
      if (result !== undefined) current = withStanza(event, result)
    }
    return current.stanza
  }

  #runOne(entry: Entry<FilterHandler<E>>, event: E) {
    try {
      return entry.handle(event)
    } catch (error) {
      if (error instanceof StanzaError) throw error
      this.logDefect(entry, error)
      throw new StanzaError('internal-server-error')
    }
  }
}

function withStanza<E extends { readonly stanza: Stanza }>(event: E, stanza: Stanza): E {
  return { ...event, stanza }
}

export class ClaimChain<E> extends Chain<ClaimHandler<E>> {
  /** `false` when nobody took the event. A `StanzaError` passes through; any other throw becomes one. */
  run(event: E): ClaimResult {
    for (const entry of this.entries) {
      const result = this.#runOne(entry, event)
      if (result !== false) return result
    }
    return false
  }

  #runOne(entry: Entry<ClaimHandler<E>>, event: E): ClaimResult {
    try {
      return entry.handle(event)
    } catch (error) {
      if (error instanceof StanzaError) throw error
      this.logDefect(entry, error)
      throw new StanzaError('internal-server-error')
    }
  }
}

/** All chains of one core, made on first use by token. */
export class HookChains {
  readonly #chains = new Map<object, unknown>()
  readonly #log: Log

  constructor(log: Log) {
    this.#log = log
  }

  observe<E>(hook: ObserveHook<E>): ObserveChain<E> {
    return this.#chain(hook, () => new ObserveChain<E>(hook.hookName, this.#log))
  }

  filter<E extends { readonly stanza: Stanza }>(hook: FilterHook<E>): FilterChain<E> {
    return this.#chain(hook, () => new FilterChain<E>(hook.hookName, this.#log))
  }

  claim<E>(hook: ClaimHook<E>): ClaimChain<E> {
    return this.#chain(hook, () => new ClaimChain<E>(hook.hookName, this.#log))
  }

  /** The chain behind any hook token, for registration by modules. */
  add(hook: AnyHook, moduleName: string, stage: Stage, handle: (event: never) => unknown, scope?: FilterScope): void {
    const chain = hook.kind === 'observe' ? this.observe(hook) : hook.kind === 'filter' ? this.filter(hook) : this.claim(hook)
    const untyped = chain as { add(moduleName: string, stage: Stage, handle: (event: never) => unknown, scope?: FilterScope): void }
    untyped.add(moduleName, stage, handle, scope)
  }

  #chain<C>(hook: object, make: () => C): C {
    const known = this.#chains.get(hook)
    if (known !== undefined) return known as C
    const chain = make()
    this.#chains.set(hook, chain)
    return chain
  }
}
