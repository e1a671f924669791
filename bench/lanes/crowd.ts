/**
 * The crowd of `bench/lanes`: logs in and changes state at a rate it is told, and reads what comes without looking at it, so that
 * one process can make much more presence than a server can deliver. What it gets is checked elsewhere (`rollcall load`).
 *
 * Told by its parent: `{ port, domain, users, perSecond }` once, then `{ perSecond }`. Says `online` when everybody is.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Names and the password of the crowd's accounts. */
export const nameOf = (at: number): string => `crowd-${at}`
export const PASSWORD = 'load'

export interface CrowdOrder {
  readonly port: number
  readonly domain: string
  readonly users: number
  /** Changes of state, of all together. */
  readonly perSecond: number
}

const TICK_MS = 5
const LOGINS_AT_A_TIME = 20
const BIND = `<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`

function login({ port, domain }: CrowdOrder, at: number): Promise<Socket> {
  const header = `<stream:stream to='${domain}' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`
  const secret = Buffer.from(`\0${nameOf(at)}\0${PASSWORD}`).toString('base64')
  // What is waited for, and what is said then.
  const steps: [string, string][] = [
    ['</stream:features>', `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${secret}</auth>`],
    ['<success', header],
    ['</stream:features>', BIND],
    [`id='b'`, '<presence/>'],
  ]
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(header)).setNoDelay(true)
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1')
      const [awaited, answer] = steps[0] ?? ['', '']
      if (!text.includes(awaited)) return
      text = ''
      steps.shift()
      socket.write(answer)
      if (steps.length > 0) return
      socket.off('data', onData)
      socket.on('data', () => {})
      resolve(socket)
    }
    socket.on('data', onData)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`${nameOf(at)}: disconnected after ${text}`)))
  })
}

async function run(order: CrowdOrder): Promise<void> {
  const sockets: Socket[] = []
  for (let at = 0; at < order.users; at += LOGINS_AT_A_TIME) {
    const some = Array.from({ length: Math.min(LOGINS_AT_A_TIME, order.users - at) }, (_, more) => login(order, at + more))
    sockets.push(...await Promise.all(some))
  }
  let { perSecond } = order
  process.on('message', (message: { perSecond: number }) => {
    perSecond = message.perSecond
  })
  process.send?.('online')
  let serial = 0
  let owed = 0
  for (let lastMs = performance.now(); ; await sleep(TICK_MS)) {
    const nowMs = performance.now()
    owed += ((nowMs - lastMs) / 1000) * perSecond
    lastMs = nowMs
    for (; owed >= 1; owed--) {
      serial++
      // Everybody in turn, in an order that neighbours in the list of accounts do not share.
      sockets[(serial * 7_919) % sockets.length]?.write(`<presence><show>away</show><status>${serial}</status></presence>`)
    }
  }
}

if (process.send !== undefined) process.once('message', (order: CrowdOrder) => void run(order))
