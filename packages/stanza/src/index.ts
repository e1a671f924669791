/**
 * The stanza: what travels between edge, core and modules. Pure; no I/O.
 */
export * from './stanza.ts'
export * from './build.ts'
export * from './stanza-error.ts'
export * from './error-reply.ts'
export * from './record.ts'
export * from './from-frame.ts'
