/** Joining what is durable: a promise exactly when one of the parts is one (invariant 2 of the architecture). */

/** Settles when every part has; undefined when no part is a promise. Rejects when one does. */
export function allDurable(parts: readonly (void | Promise<unknown>)[]): void | Promise<void> {
  const promises = parts.filter((part) => part instanceof Promise)
  if (promises.length > 0) return settled(promises)
}

async function settled(promises: readonly Promise<unknown>[]): Promise<void> {
  await Promise.all(promises)
}
