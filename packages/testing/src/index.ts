/** What tests and the simulator use instead of the real world, and the contract suites every backend must pass. */
export * from './fake-clock.ts'
export * from './fake-load.ts'
export * from './seeded-random.ts'
export * from './recording-log.ts'
export * from './recording-metrics.ts'
export * from './storage-contract.ts'
export * from './bus-contract.ts'
