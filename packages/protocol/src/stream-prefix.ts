/**
 * Elements that a stream writes with the prefix `stream:`.
 *
 * COMPAT(RFC 6120 §4.8.5): readers may insist on that prefix, and the DOM writes none, so the wire string is rewritten.
 * It only stands where the stream header declares the prefix: on TCP, and on `<body/>` of BOSH. WebSocket messages
 * (RFC 7395 §3.3.3) declare the namespace themselves; for them serialise what `encode` gives.
 */
import type { DeclaredCodec } from './declaration.ts'

export const NS_STREAMS = 'http://etherx.jabber.org/streams'

/** The same codec whose `toWire` writes `<stream:name>`. No child of the element may be in the streams namespace. */
export function streamPrefixed<Out, In>(codec: DeclaredCodec<Out, In>): DeclaredCodec<Out, In> {
  const start = `<${codec.name} xmlns='${NS_STREAMS}'`
  const end = `</${codec.name}>`
  return {
    ...codec,
    toWire(value) {
      const rest = codec.toWire(value).slice(start.length)
      const content = rest.endsWith('/>') ? rest : `${rest.slice(0, -end.length)}</stream:${codec.name}>`
      return `<stream:${codec.name}${content}`
    },
  }
}
