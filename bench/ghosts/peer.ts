/**
 * A client that can be frozen or cut off from the network: `node bench/ghosts/peer.ts ADDRESS PORT USER sm|plain`.
 *
 * It logs in, becomes available, says `ready` and answers whatever it is asked, for as long as it is let.
 */
import { connect } from 'node:net'

const [address = '', port = '', user = '', kind = ''] = process.argv.slice(2)
const NS_SM = 'urn:xmpp:sm:3'
const HEADER = "<?xml version='1.0'?><stream:stream to='bench.test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

const steps: readonly (readonly [answer: RegExp, next: string])[] = [
  [/<\/stream:features>/, `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${Buffer.from(`\0${user}\0pw`).toString('base64')}</auth>`],
  [/<success/, HEADER],
  [/<\/stream:features>/, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>"],
  // One second, so that the loss is seen when it is noticed.
  [/<\/iq>/, kind === 'sm' ? `<enable xmlns='${NS_SM}' resume='true' max='1'/>` : '<presence/>'],
  ...(kind === 'sm' ? [[/<enabled[^>]*>/, '<presence/>']] as const : []),
]

const socket = connect({ host: address, port: Number(port), noDelay: true }).setEncoding('latin1')
let buffer = ''
let step = 0
let handled = 0
socket.on('connect', () => socket.write(HEADER))
socket.on('error', () => process.exit(1))
socket.on('close', () => process.exit(0))
socket.on('data', (text: string) => {
  buffer += text
  for (;;) {
    const current = steps[step]
    if (current === undefined) break
    const found = current[0].exec(buffer)
    if (found === null) return
    buffer = buffer.slice(found.index + found[0].length)
    socket.write(current[1])
    step++
    if (step === steps.length) console.log('ready')
  }
  answer()
})

/** Counts stanzas, acknowledges them and answers pings; what is incomplete waits. */
function answer(): void {
  const unit = /<(message|presence|iq)\b[^>]*?(\/>|>.*?<\/\1>)|<r xmlns[^>]*>/s
  for (let found = unit.exec(buffer); found !== null; found = unit.exec(buffer)) {
    buffer = buffer.slice(found.index + found[0].length)
    const [wire, name] = found
    if (name === undefined) socket.write(`<a xmlns='${NS_SM}' h='${handled}'/>`)
    else handled++
    if (name === 'iq' && / type='get'/.test(wire)) socket.write(`<iq type='result' to='bench.test' id='${/ id='([^']*)'/.exec(wire)?.[1]}'/>`)
  }
}
