/** The outside world as it really is: the only place in the server that touches clock, randomness, console and sockets. */
export * from './clock.ts'
export * from './load.ts'
export * from './pressure.ts'
export * from './processes.ts'
export * from './random.ts'
export * from './log.ts'
export * from './metrics.ts'
export * from './network.ts'
