/**
 * What went wrong, counted by kind, with the first few cases in words. *Violations* break what the protocol promises;
 * *failures* (refused logins, lost connections) are a server that does not serve.
 */

export const violationKinds = [
  'message-missing', 'message-duplicate', 'message-out-of-order', 'message-stranger', 'message-error',
  'presence-duplicate', 'presence-out-of-order', 'presence-stranger', 'presence-error', 'presence-wrong-state', 'roster-wrong',
] as const
export type ViolationKind = (typeof violationKinds)[number]

export const failureKinds = ['login-failed', 'login-late', 'connection-lost'] as const
export type FailureKind = (typeof failureKinds)[number]

export interface Tallied {
  readonly kind: string
  readonly count: number
  readonly examples: readonly string[]
}

const EXAMPLES_MAX = 5
const EXAMPLE_CHARACTERS_MAX = 300

/** Counts per kind; the text of a case is only made while examples are wanted. */
export class Tally<Kind extends string> {
  private readonly counts = new Map<Kind, number>()
  private readonly examples = new Map<Kind, string[]>()
  private sum = 0

  get total(): number {
    return this.sum
  }

  add(kind: Kind, describe: () => string, count = 1): void {
    if (count === 0) return
    this.sum += count
    this.counts.set(kind, this.countOf(kind) + count)
    const examples = this.examples.get(kind)
    if (examples === undefined) this.examples.set(kind, [shortened(describe())])
    else if (examples.length < EXAMPLES_MAX) examples.push(shortened(describe()))
  }

  countOf(kind: Kind): number {
    return this.counts.get(kind) ?? 0
  }

  list(): Tallied[] {
    return [...this.counts].map(([kind, count]) => ({ kind, count, examples: this.examples.get(kind) ?? [] }))
  }
}

function shortened(text: string): string {
  return text.length <= EXAMPLE_CHARACTERS_MAX ? text : `${text.slice(0, EXAMPLE_CHARACTERS_MAX)}…`
}
