// Finds the Node this project is pinned to and hands over to it.
//
// Plain JavaScript on purpose: it is the only code that the host's own, possibly older, Node runs.
// The pinned binary is an optional dependency per platform (docs/adr/0001-node-from-npm.md); on a
// platform without one the host's Node is used if it is new enough, and the error says so if it is not.

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Oldest major version of Node that runs the project: it must strip types and have `node:sqlite`. */
const MAJOR_MIN = 24

/** True when the running Node can run the project itself. */
export function isNodeNewEnough(version = process.versions.node) {
  return Number(version.split('.')[0]) >= MAJOR_MIN
}

/** The path of the pinned Node binary; throws an `Error` that says what to do when there is none. */
export function findPinnedNode(platform = process.platform, arch = process.arch) {
  const name = `node-${platform === 'win32' ? 'win' : platform}-${arch}`
  try {
    const manifestPath = createRequire(import.meta.url).resolve(`${name}/package.json`)
    const manifest = createRequire(import.meta.url)(manifestPath)
    return join(dirname(manifestPath), manifest.bin.node)
  } catch (cause) {
    throw new Error(
      `Rollcall needs Node ${MAJOR_MIN} or newer; this is ${process.version} and the package ${name} is not installed.\n` +
        `Run "npm ci" without --omit=optional, or install Node ${MAJOR_MIN} for this platform.`,
      { cause },
    )
  }
}

/**
 * Runs `script` again under the pinned Node, with the same terminal, signals and exit status.
 * A terminal sends SIGINT and SIGQUIT to both processes, so these are passed on only without one;
 * sending them twice would turn a graceful stop into an immediate one.
 */
export function runUnderPinnedNode(script, args, flags = []) {
  const node = isNodeNewEnough() ? process.execPath : findPinnedNode()
  const child = spawn(node, [...flags, script, ...args], { stdio: 'inherit' })
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
    const isFromTerminal = signal === 'SIGINT' || signal === 'SIGQUIT'
    process.on(signal, () => {
      if (!(isFromTerminal && hasTerminal)) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    console.error(`Cannot start the pinned Node: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1
      return
    }
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

/**
 * Calls `start` in this process if its Node is new enough and was started with `flags` (options of Node or V8),
 * otherwise runs `script` under a Node that is.
 */
export async function withPinnedNode(script, args, start, flags = []) {
  try {
    if (isNodeNewEnough() && flags.every((flag) => process.execArgv.includes(flag))) await start()
    else runUnderPinnedNode(script, args, flags)
  } catch (error) {
    if (isNodeNewEnough()) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
