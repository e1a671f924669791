/**
 * What the outside world gives to the server: clock, randomness, log, metrics, bus and storage.
 *
 * Everything in core, edge and modules takes these as arguments, so that the same code runs on the real machine
 * (`server/runtime`), in unit tests (`@rollcall/testing`) and in the deterministic simulator.
 */
export * from './clock.ts'
export * from './load.ts'
export * from './random.ts'
export * from './hasher.ts'
export * from './log.ts'
export * from './metrics.ts'
export * from './bus.ts'
export * from './bus-codec.ts'
export * from './wire-text.ts'
export * from './storage.ts'
export * from './flat-rows.ts'
export * from './open-store.ts'
export * from './check-ops.ts'
export * from './web-push.ts'
export * from './token.ts'
