/**
 * One storage for all processes of a machine: `serveStorage` in the process that has the real backend, `RemoteStorage` in
 * the others.
 */
export { RemoteStorage } from './client.ts'
export type { RemoteStorageOptions } from './client.ts'
export { serveStorage } from './server.ts'
export type { ServeStorageOptions, StorageServer } from './server.ts'
