/** Entry of a worker: a process that `rollcall start --workers` starts, never a person. */
import { exitProcess, leaveSignalsToParent, parentPort, tuneCompiler } from './runtime/index.ts'
import { runWorker } from './workers/worker.ts'

const parent = parentPort()
if (parent === undefined) exitProcess(2)
leaveSignalsToParent()
tuneCompiler()
runWorker(parent)
