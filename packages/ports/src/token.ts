/**
 * A port token: a typed name by which one module offers something and another needs it.
 *
 * A token is a value (so that it can be listed in a module's `needs` and `provides`) that carries its type.
 */
export interface Port<T> {
  readonly portName: string
  /** Never present at run time: carries the type. */
  readonly implementation?: T
}

/** Declares a port; the name must be unique in the process and is what boot errors print. */
export function definePort<T>(portName: string): Port<T> {
  return { portName }
}

/** The implementation type behind a token. */
export type PortType<P> = P extends Port<infer T> ? T : never
