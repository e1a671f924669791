/** Where a load test goes, from the command line: only to this machine, unless the person says that the server is theirs. */
import { BlockList, isIP } from 'node:net'
import { readFileSync } from 'node:fs'
import { RollcallError } from '../server/config/index.ts'
import type { ServerTarget } from './run/settings.ts'
import type { TlsMode } from './wire/socket.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

const tlsModes: readonly TlsMode[] = ['none', 'starttls', 'direct']

export interface TargetFields {
  readonly name: string
  /** HOST:PORT, an IPv6 address in brackets. */
  readonly address: string
  readonly domain: string
  readonly tls: string
  /** Comma-separated. */
  readonly pids?: string | undefined
  readonly pidFiles?: string | undefined
  readonly isOwned: boolean
  /** Loopback addresses to connect from. */
  readonly sources: number
}

/** Whether the host can only be this machine. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  const family = isIP(host)
  return family !== 0 && loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}

/** Throws RollcallError (`usage`) when a field is wrong or the target is not allowed. */
export function targetOf(fields: TargetFields): ServerTarget {
  const [, host = '', port = ''] = /^\[?([^[\]]+?)\]?:(\d{1,5})$/.exec(fields.address) ?? []
  if (host === '' || Number(port) < 1 || Number(port) > 65_535) throw usage(`${fields.address} is not HOST:PORT`)
  if (!isLoopback(host) && !fields.isOwned) {
    throw usage(`${host} is not this machine: a load test of somebody else's server is an attack. If it is yours, say --i-own-this-server`)
  }
  const tls = tlsModes.find((mode) => mode === fields.tls)
  if (tls === undefined) throw usage(`TLS mode ${fields.tls}: it is one of ${tlsModes.join(', ')}`)
  if (!/^[^\s<>&'"/@]+$/.test(fields.domain)) throw usage(`${fields.domain} is not a domain`)
  const isIpv4Loopback = isIP(host) === 4 && isLoopback(host)
  const sourceAddresses = isIpv4Loopback ? Array.from({ length: fields.sources }, (_, at) => `127.0.0.${at + 1}`) : []
  const pids = [...listOf(fields.pids), ...listOf(fields.pidFiles).flatMap(pidsIn)].map(pidOf)
  return { name: fields.name, pids, endpoint: { host, port: Number(port), tls, domain: fields.domain, sourceAddresses } }
}

/** A server of `compare`: `name=HOST:PORT[,pid=P+P][,pid-file=F+F][,domain=D][,tls=MODE]`. */
export function parseServer(spec: string, shared: Pick<TargetFields, 'domain' | 'isOwned' | 'sources'>): ServerTarget {
  const [head = '', ...rest] = spec.split(',')
  const [name, address] = splitOnce(head)
  if (name === '' || address === '') throw usage(`${spec} does not begin with name=HOST:PORT`)
  const options = new Map(rest.map(splitOnce))
  for (const key of options.keys()) if (!['pid', 'pid-file', 'domain', 'tls'].includes(key)) throw usage(`${spec}: ${key} is unknown`)
  return targetOf({
    ...shared, name, address, domain: options.get('domain') ?? shared.domain, tls: options.get('tls') ?? 'none',
    pids: options.get('pid')?.replaceAll('+', ','), pidFiles: options.get('pid-file')?.replaceAll('+', ','),
  })
}

export function usage(message: string): RollcallError {
  return new RollcallError('usage', message)
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function listOf(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').filter((part) => part !== '')
}

function pidsIn(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/[\s,]+/).filter((part) => part !== '')
  } catch (error) {
    throw new RollcallError('file-unreadable', `${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function pidOf(text: string): number {
  const pid = Number(text)
  if (!Number.isInteger(pid) || pid < 1) throw usage(`${text} is not a process id`)
  return pid
}
