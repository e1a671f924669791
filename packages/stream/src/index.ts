/** @rollcall/stream: what happens on a stream before stanzas flow, without I/O. */
export * from './sasl/index.ts'
export { sasl2Session, upgradeTasksFor } from './sasl2/session.ts'
export type { LoginMethod, Sasl2Granted, Sasl2Reply, Sasl2Request, Sasl2Session } from './sasl2/session.ts'
