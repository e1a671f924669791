// Types of pinned-node.mjs, which is plain JavaScript so that an older Node can run it.

/** True when that version of Node, by default the running one, can run the project itself. */
export function isNodeNewEnough(version?: string): boolean

/** The path of the pinned Node binary; throws an `Error` that says what to do when there is none. */
export function findPinnedNode(platform?: string, arch?: string): string

/** Runs `script` again under the pinned Node, with the same terminal, signals and exit status. */
export function runUnderPinnedNode(script: string, args: readonly string[], flags?: readonly string[]): void

/** Calls `start` in this process if its Node is new enough, otherwise runs `script` under the pinned Node. */
export function withPinnedNode(script: string, args: readonly string[], start: () => Promise<void>, flags?: readonly string[]): Promise<void>
