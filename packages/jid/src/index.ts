/** @rollcall/jid: XMPP addresses (RFC 7622), prepared once, cached, comparable, ready for the wire. */
export { JID_ERRORS, JidError } from './jid-error.ts'
export type { JidErrorCode, JidPart } from './jid-error.ts'
export { Jid, JID_UNITS_MAX, jidCache, jidOf, parseJid, parseJidWire, tryParseJid } from './jid.ts'
export { PART_BYTES_MAX, prepareDomainpart, prepareLocalpart, prepareResourcepart } from './prepare.ts'
export type { CacheStats } from './generation-cache.ts'
export { isMixedScript, skeleton } from './confusables.ts'
