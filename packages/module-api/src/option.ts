/**
 * Config options of a module, declared as data: the config file's schema and the config reference are made from them.
 * A module `x` reads them under `modules.x` of the config file.
 */
export interface Option<T> {
  readonly type: 'boolean' | 'integer' | 'number' | 'string' | 'strings' | 'choice'
  readonly default: T
  /** One sentence for people, with the unit. */
  readonly description: string
  readonly min?: number
  readonly max?: number
  readonly choices?: readonly string[]
}

export const option = {
  boolean: (fallback: boolean, description: string): Option<boolean> => ({ type: 'boolean', default: fallback, description }),
  /** Whole number within [min, max]. */
  integer: (fallback: number, min: number, max: number, description: string): Option<number> => ({
    type: 'integer', default: fallback, min, max, description,
  }),
  number: (fallback: number, min: number, max: number, description: string): Option<number> => ({
    type: 'number', default: fallback, min, max, description,
  }),
  string: (fallback: string, description: string): Option<string> => ({ type: 'string', default: fallback, description }),
  strings: (fallback: readonly string[], description: string): Option<readonly string[]> => ({
    type: 'strings', default: fallback, description,
  }),
  choice: <const C extends string>(fallback: C, choices: readonly C[], description: string): Option<C> => ({
    type: 'choice', default: fallback, choices, description,
  }),
}

export type OptionsOf<C> = { readonly [K in keyof C]: C[K] extends Option<infer T> ? T : never }
