/** Joining what is durable: a promise exactly when one of the parts is one (invariant 2 of the architecture). */

type Work = void | Promise<unknown>

/** Settles when every part has; undefined when no part is a promise. */
export function allDurable(parts: readonly Work[]): void | Promise<void> {
  const promises = parts.filter((part) => part instanceof Promise)
  if (promises.length > 0) return Promise.all(promises).then(() => {})
}
