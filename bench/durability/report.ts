/** Turns the raw lines of `run.sh` into its table. `node bench/durability/report.ts RAW REPS VARIANT…` */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

type Line = { readonly scenario: string; readonly label: string; readonly window?: number } & { readonly [key: string]: number | string | undefined }

const [file = '', reps = '', ...variants] = process.argv.slice(2)
const lines = readFileSync(file, 'utf8').split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line)

function median(select: (line: Line) => boolean, key: string): string {
  const values = lines.filter(select).map((line) => line[key]).filter((value) => typeof value === 'number').sort((a, b) => a - b)
  const value = values[Math.floor(values.length / 2)]
  // The generator's figure when nothing arrived.
  if (value === undefined || value > 1_000_000) return '-'
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function version(name: string): string {
  try {
    return execFileSync('dpkg-query', ['-Wf', '${Version}', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return 'not installed'
  }
}

const WHAT: Record<string, string> = {
  'rollcall-off': 'no archive',
  'rollcall-async': 'archive, nothing waits for the disk (storage.durability: normal, streamManagement.durability: async)',
  'rollcall-commit': 'archive, acknowledged when synced to the disk (the default)',
  'ejabberd-off': 'no archive',
  'ejabberd-mnesia': 'mod_mam, default: always, in Mnesia (its default; not synced)',
  'ejabberd-sqlite': 'mod_mam, default: always, in SQLite (a transaction each)',
  'prosody-off': 'no archive',
  'prosody-internal': 'mod_mam, policy always, in files (its default; not synced)',
  'prosody-sqlite': 'mod_mam, policy always, in SQLite',
}

const columns: [string, (label: string) => string][] = []
const add = (title: string, scenario: string, key: string, window?: number): void => {
  columns.push([title, (label) =>
    median((line) => line.label === label && line.scenario === scenario && (window === undefined || line.window === window), key)])
}
for (const window of [10, 1]) {
  add(`w${window} CPU µs`, 'message_tput', 'cpu_us_per_msg', window)
  add('msg/s', 'message_tput', 'msg_per_s', window)
  add('p50', 'message_tput', 'lat_p50_ms', window)
  add('p99', 'message_tput', 'lat_p99_ms', window)
}
add('1k/s CPU µs', 'message_lat', 'cpu_us_per_msg')
add('p50', 'message_lat', 'lat_p50_ms')
add('p99', 'message_lat', 'lat_p99_ms')
add('ack p50', 'acks', 'ack_p50_ms')
add('p99', 'acks', 'ack_p99_ms')
const sum = (label: string, keys: readonly string[]): number =>
  lines.filter((line) => line.label === label).reduce((total, line) => total + keys.reduce((all, key) => all + Number(line[key] ?? 0), 0), 0)
columns.push(['missing', (label) => String(sum(label, ['lost', 'reordered_or_dup', 'gaps']))])

const measured = variants.filter((label) => lines.some((line) => line.label === label))
const rows = [['', ...columns.map(([title]) => title)], ...measured.map((label) => [label, ...columns.map(([, of]) => of(label))])]
const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)))
const table = rows.map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ').trimEnd())

const day = new Date().toISOString().slice(0, 10)
console.log(`What keeping messages costs: medians of ${reps} repetitions in one run, ${day}, ${cpus().length} cores (${cpus()[0]?.model ?? ''}).
Rollcall on Node ${process.version}, ejabberd ${version('ejabberd')}, Prosody ${version('prosody')}.
Made by: bench/durability/run.sh KIT ${reps} ${variants.join(' ')}

w10, w1: 100 pairs, closed loop with 10 or 1 messages under way; 1k/s: 1,000 messages a second, open loop. Latency (ms) is from
sender to recipient, who does not wait for the archive in any of them. CPU is user+sys of all of a server's processes and threads per
message delivered. ack: ms until the sender has the acknowledgement (XEP-0198) at 1,000 messages a second, one request each:
only with rollcall-commit does it mean that the message is on the disk. missing: not delivered within seconds of the end of a load,
repeated or reordered, in all repetitions: a server that cannot take 1,000 messages a second has some. -: the load could not be run to its end.
`)
console.log(table.join('\n'))
console.log(`\n${measured.map((label) => `${label.padEnd(17)} ${WHAT[label] ?? ''}`).join('\n')}`)
