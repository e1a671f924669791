/** Mistakes that one setting alone does not show: contradictions, doubles, files that are not there. */
import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { prepareDomainpart } from '@rollcall/jid'
import type { ErrorCode } from './error-codes.ts'
import type { Fault } from './raw.ts'
import type { Settings } from './schema.ts'
import { formatSize } from './units.ts'

/** Where the setting at a path was written; the nearest section's place when it was not. */
export type PlaceOf = (path: string) => string

/** Every contradiction in settings that are right one by one. */
export function crossChecks(settings: Settings, placeOf: PlaceOf, folder: string): Fault[] {
  const faults: Fault[] = []
  const add: Add = (code, path, message) => faults.push({ code, place: placeOf(path), message: `${path}: ${message}` })
  checkHosts(settings, add, folder)
  checkListeners(settings, add)
  checkComponents(settings, add)
  checkAuth(settings, add, folder)
  checkLimits(settings, add)
  checkOverload(settings, add)
  return faults
}

type Add = (code: ErrorCode, path: string, message: string) => void

function checkHosts({ hosts, admins }: Settings, add: Add, folder: string): void {
  const seen = new Map<string, number>()
  for (const [index, { domain, certificate, key }] of hosts.entries()) {
    const path = `hosts[${index}]`
    const prepared = prepareDomainpart(domain)
    const other = seen.get(prepared)
    if (other === undefined) seen.set(prepared, index)
    else add('config-conflict', `${path}.domain`, `${prepared} is hosts[${other}] already: remove one of them`)
    if (certificate !== '' && key === '') add('config-missing', `${path}.certificate`, `the private key is missing: add ${path}.key`)
    if (key !== '' && certificate === '') add('config-missing', `${path}.key`, `the certificate is missing: add ${path}.certificate`)
    checkFile(certificate, `${path}.certificate`, add, folder)
    checkFile(key, `${path}.key`, add, folder)
  }
  const served = hosts.length === 0 ? new Set(['localhost']) : new Set(seen.keys())
  for (const [index, admin] of admins.entries()) {
    if (served.has(prepareDomainpart(admin.slice(admin.lastIndexOf('@') + 1)))) continue
    add('config-conflict', `admins[${index}]`, `${admin} is on no host of this server: use one of ${[...served].join(', ')}`)
  }
}

function checkOverload({ overload }: Settings, add: Add): void {
  const pairs = [
    ['lagRefuse', 'lagBrownOut', overload.lagRefuseMs, overload.lagBrownOutMs],
    ['memoryRefusePercent', 'memoryBrownOutPercent', overload.memoryRefusePercent, overload.memoryBrownOutPercent],
    ['outputRefuseBytes', 'outputBrownOutBytes', overload.outputRefuseBytes, overload.outputBrownOutBytes],
    ['storageRefuseOperations', 'storageBrownOutOperations', overload.storageRefuseOperations, overload.storageBrownOutOperations],
  ] as const
  for (const [name, other, refuse, brownOut] of pairs) {
    if (refuse < brownOut) add('config-conflict', `overload.${name}`, `is less than overload.${other}: raise it or lower the other`)
  }
}

function checkFile(path: string, setting: string, add: Add, folder: string): void {
  if (path === '') return
  const file = resolve(folder, path)
  try {
    accessSync(file, constants.R_OK)
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    add('config-file-missing', setting, isAbsent ? `there is no file ${file}` : `${file} cannot be read: make it readable for the server's user`)
  }
}

function checkListeners({ listeners, admin }: Settings, add: Add): void {
  const seen = new Map<string, string>()
  const all = listeners.map(({ address, port, shared }, index) => ({ address, port, shared, path: `listeners[${index}]` }))
  if (admin.enabled) all.push({ address: admin.address, port: admin.port, shared: false, path: 'admin' })
  for (const { address, port, path } of all) {
    if (port === 0) continue
    const key = `${address} ${port}`
    const other = seen.get(key)
    if (other === undefined) seen.set(key, path)
    else add('config-conflict', `${path}.port`, `${address} port ${port} is used by ${other} already: choose another port`)
  }
}

function checkComponents({ components, hosts, listeners }: Settings, add: Add): void {
  const taken = new Set(hosts.length === 0 ? ['localhost'] : hosts.map(({ domain }) => prepareDomainpart(domain)))
  for (const [index, { domain }] of components.entries()) {
    const prepared = prepareDomainpart(domain)
    if (taken.has(prepared)) add('config-conflict', `components[${index}].domain`, `${prepared} is a host or another component: choose another domain`)
    taken.add(prepared)
  }
  if (components.length > 0 && !listeners.some(({ kind }) => kind === 'component')) {
    add('config-conflict', 'components', `no listener lets them in: add { kind: component, address: 127.0.0.1, port: 5347 } to listeners`)
  }
}

function checkAuth({ auth, hosts }: Settings, add: Add, folder: string): void {
  if (auth.mechanisms.length === 0 && !hosts.some(({ anonymous }) => anonymous)) {
    add('config-bad-value', 'auth.mechanisms', 'nobody could log in: name at least one')
  }
  if (auth.plainWithoutTls && !auth.mechanisms.includes('PLAIN')) {
    add('config-conflict', 'auth.plainWithoutTls', 'has no effect without PLAIN in auth.mechanisms: add it or remove this line')
  }
  checkFile(auth.clientAuthority, 'auth.clientAuthority', add, folder)
  for (const [name, { baseMs, maxMs }] of Object.entries({ accountLockout: auth.accountLockout, addressLockout: auth.addressLockout })) {
    if (baseMs > maxMs) add('config-conflict', `auth.${name}.base`, `is longer than auth.${name}.max: lower it or raise the other`)
  }
}

type SizeLimit = 'preAuthElementBytesMax' | 'preAuthBytesMax' | 'outputHighBytes' | 'outputBytesMax' | 'stanzaBytesMax'

function checkLimits({ limits, http, streamManagement }: Settings, add: Add): void {
  const atMost = (low: SizeLimit, high: SizeLimit) => {
    if (limits[low] <= limits[high]) return
    add('config-conflict', `limits.${low}`, `is more than limits.${high} (${formatSize(limits[high])}): lower it or raise the other`)
  }
  atMost('preAuthElementBytesMax', 'preAuthBytesMax')
  atMost('outputHighBytes', 'outputBytesMax')
  atMost('stanzaBytesMax', 'outputBytesMax')
  if (limits.stanzaBytesMax > http.bodyBytesMax) {
    const message = `is more than http.bodyBytesMax (${formatSize(http.bodyBytesMax)}), so that BOSH clients could not send it: raise that too`
    add('config-conflict', 'limits.stanzaBytesMax', message)
  }
  if (streamManagement.unackedBytesMax > limits.outputBytesMax) {
    const message = `is more than limits.outputBytesMax (${formatSize(limits.outputBytesMax)}), so that who resumes could be cut off again: lower it`
    add('config-conflict', 'streamManagement.unackedBytesMax', message)
  }
  if (streamManagement.ackTimeoutMinMs > streamManagement.ackTimeoutMaxMs) {
    add('config-conflict', 'streamManagement.ackTimeoutMin', 'is longer than streamManagement.ackTimeoutMax: lower it or raise the other')
  }
  if (http.websocket.path === http.bosh.path) add('config-conflict', 'http.bosh.path', 'is the path of http.websocket too: change one of them')
}
