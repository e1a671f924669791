/** @rollcall/stream: what happens on a stream before stanzas flow, without I/O. */
export * from './sasl/index.ts'
