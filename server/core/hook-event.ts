/** The event type that a hook token carries. */
import type { ClaimHook, FilterHook, ObserveHook } from '@rollcall/module-api'

export type HookEvent<H> =
  H extends ObserveHook<infer E> ? E
  : H extends FilterHook<infer E> ? E
  : H extends ClaimHook<infer E> ? E
  : never
