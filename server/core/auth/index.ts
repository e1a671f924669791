/** The authentication service: credentials, locks and the import of accounts. */
export * from './auth-service.ts'
export * from './config.ts'
export * from './account-record.ts'
export { importAccounts } from './import-accounts.ts'
export type { ImportOptions, ImportPorts, ImportResult } from './import-accounts.ts'
export { readImport } from './import-lines.ts'
export type { ImportAccount, ImportFile, ImportProblem } from './import-lines.ts'
