/** The crash campaign for as long as somebody wants to watch (`npm run crash`): ten minutes and a plan of its own unless told. */
process.env.ROLLCALL_CRASH_SECONDS ??= '600'
process.env.ROLLCALL_CRASH_SEED ??= String(Date.now() % 1_000_000)
await import('./crash.test.ts')
