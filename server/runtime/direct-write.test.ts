/** Direct writes: what arrives, in which order, and how they end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { writeDirectly } from './direct-write.ts'

/** More than the kernel takes for a peer that does not read. */
const MUCH = 'x'.repeat(16_000_000)

class Ended {
  count = 0
  readonly done: Promise<void>
  #settle: () => void = () => {}
  constructor() {
    this.done = new Promise((resolve) => { this.#settle = resolve })
  }
  written(): void {
    this.count++
    this.#settle()
  }
}

describe('a direct write', () => {
  let near: Socket
  let far: Socket
  const server = createServer({ pauseOnConnect: true })

  beforeEach(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection')
    far = createConnection((server.address() as AddressInfo).port, '127.0.0.1').pause()
    near = (await accepted)[0] as Socket
    near.on('error', () => {})
    far.on('error', () => {})
  })
  afterEach(async () => {
    near.destroy()
    far.destroy()
    server.close()
    await once(server, 'close')
  })

  async function read(length: number): Promise<string> {
    let text = ''
    far.setEncoding('latin1')
    for await (const chunk of far) {
      text += chunk as string
      if (text.length >= length) break
    }
    return text
  }

  it('is taken by the kernel at once, byte for byte', async () => {
    const writer = new Ended()
    const wire = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
    assert.equal(writeDirectly(near, wire, writer), 'taken')
    assert.equal(await read(256), wire)
    assert.equal(writer.count, 0)
  })

  it('keeps its place among other writes, whatever waits', async () => {
    const first = new Ended()
    assert.equal(writeDirectly(near, `a${MUCH}`, first), 'under-way')
    near.write('b')
    const second = new Ended()
    assert.equal(writeDirectly(near, 'c', second), 'under-way')
    near.write('d')
    assert.equal(first.count, 0)
    const text = await read(MUCH.length + 4)
    assert.equal(text.replaceAll('x', ''), 'abcd')
    await Promise.all([first.done, second.done])
    assert.deepEqual([first.count, second.count], [1, 1])
  })

  it('that is under way ends when the socket is destroyed', async () => {
    const writer = new Ended()
    assert.equal(writeDirectly(near, MUCH, writer), 'under-way')
    near.destroy()
    await writer.done
    assert.equal(writer.count, 1)
  })

  it('destroys a socket whose peer is gone, and is impossible on one that is destroyed', async () => {
    far.resetAndDestroy()
    await once(far, 'close')
    assert.equal(writeDirectly(near, 'x', new Ended()), 'taken')
    assert.ok(near.destroyed)
    assert.equal(writeDirectly(near, 'x', new Ended()), 'impossible')
  })
})
