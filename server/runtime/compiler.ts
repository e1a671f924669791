/**
 * When V8 compiles what, and what becomes of it, said once at the start of a server.
 *
 * After a restart thousands of clients log in within seconds, and V8's defaults suit a program that has more time: its quick
 * compiler (Maglev) waits for 400 calls of a function, until which the logins are interpreted, and its thorough one
 * (TurboFan) begins at 3,000 calls, in the middle of the storm, and takes the processor from it. What runs for days gets the
 * thorough one all the same, a second later. Figures and what else was tried: bench/results/login.txt.
 */
import { setFlagsFromString } from 'node:v8'

/** Only such as V8 reads each time that it decides: what it reads when a process begins must be on the command line. */
export const compilerFlags: readonly string[] = [
  '--invocation-count-for-maglev=100',
  // Else a function that meets a new kind of object waits for 500 calls more, and at a start everything is new.
  '--minimum-invocations-after-ic-update=100',
  '--invocation-count-for-turbofan=20000',
  // Code that was compiled for objects that there are none of just now (nobody logs in, nobody writes) is kept through that many
  // collections instead of two, and V8 does not collect in the way that keeps none: server/runtime/heap-policy.ts does it instead.
  '--retain-maps-for-n-gc=1000',
  '--memory-reducer-gc-count=0',
]

/** For this process and its threads. Another V8 that does not know a flag says so on standard error and goes on. */
export function tuneCompiler(): void {
  for (const flag of compilerFlags) setFlagsFromString(flag)
}
