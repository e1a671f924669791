import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { BusMessage } from '@rollcall/ports'
import { busContract, recordingLog, recordingMetrics } from '@rollcall/testing'
import { helloRecord } from './hello.ts'
import { createSocketBus } from './index.ts'
import type { PeerEvent, SocketBus, SocketBusOptions } from './index.ts'
import { MARK, record } from './records.ts'
import { jsonCodec, realClock, until } from './testing/fixtures.ts'

interface Note extends BusMessage {
  readonly text: string
}
const note = (text: string): Note => ({ kind: 'note', text })
const makeDirectory = async (): Promise<string> => mkdtemp(join(tmpdir(), 'rollcall-bus-'))

function make<M extends BusMessage>(directory: string, memberId: string, more: Partial<SocketBusOptions<M>> = {}): SocketBus<M> {
  return createSocketBus<M>({
    memberId, bootId: '1', directory, codec: jsonCodec(), clock: realClock, log: recordingLog(), lookMs: 50, ...more,
  })
}

busContract('socket', async () => {
  const directory = await makeDirectory()
  const [romeo, juliet] = [make<never>(directory, 'romeo'), make<never>(directory, 'juliet')]
  await Promise.all([romeo.open(), juliet.open()])
  await until(() => romeo.peers.size === 1 && juliet.peers.size === 1)
  return { romeo, juliet, dispose: async () => rm(directory, { recursive: true, force: true }) }
})

describe('socket bus', () => {
  let directory: string
  const open: { close(): Promise<void> }[] = []
  const enter = async (memberId: string, more: Partial<SocketBusOptions<Note>> = {}): Promise<SocketBus<Note>> => {
    const bus = make<Note>(directory, memberId, more)
    open.push(bus)
    await bus.open()
    return bus
  }
  const both = async (one: SocketBus<Note>, other: SocketBus<Note>): Promise<void> =>
    until(() => one.peers.has(other.memberId) && other.peers.has(one.memberId), `${one.memberId} and ${other.memberId} do not meet`)

  beforeEach(async () => void (directory = await makeDirectory()))
  afterEach(async () => {
    await Promise.all(open.splice(0).map(async bus => bus.close()))
    await rm(directory, { recursive: true, force: true })
  })

  const keep = (bus: SocketBus<Note>): string[] => {
    const seen: string[] = []
    bus.attach({ receive: (from, message) => void seen.push(`${from} ${message.text}`), answer: async (_from, message) => message.text })
    return seen
  }

  test('members that start at once all meet, and their sockets are theirs alone', async () => {
    const ids = ['w1', 'w2', 'w3', 'w4']
    const members = await Promise.all(ids.map(async id => enter(id)))
    for (const one of members) for (const other of members) if (one !== other) await both(one, other)
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
    await Promise.all(members.map(async bus => bus.close()))
    assert.deepEqual(await readdir(directory), [])
  })

  test('who is no peer is not connected to, whoever else is there', async () => {
    const toHub = { isPeer: (member: string) => member === 'hub' }
    const hub = await enter('hub')
    const [one, other] = [await enter('w1', toHub), await enter('w2', toHub)]
    await both(one, hub)
    await both(other, hub)
    await new Promise(resolve => setTimeout(resolve, 120))
    assert.deepEqual([[...one.peers.keys()], [...other.peers.keys()]], [['hub'], ['hub']])
  })

  test('what is flushed is written before the turn ends', async () => {
    const metrics = recordingMetrics()
    const [romeo, juliet] = [await enter('romeo', { metrics }), await enter('juliet')]
    const seen = keep(juliet)
    await both(romeo, juliet)
    romeo.send('juliet', note('now'))
    assert.ok(metrics.value('rollcall_bus_socket_buffered_bytes')! > 0)
    romeo.flush()
    assert.equal(metrics.value('rollcall_bus_socket_buffered_bytes'), 0)
    await until(() => seen.length === 1)
  })

  test('a peer that starts again is gone and then up with another boot id; what was asked of the old one rejects', async () => {
    const events: string[] = []
    const onPeer = ({ kind, peer }: PeerEvent): void => void events.push(`${kind} ${peer.memberId} ${peer.bootId}`)
    const romeo = await enter('romeo', { onPeer })
    const seen = keep(romeo)
    const juliet = await enter('juliet')
    juliet.attach({ receive: () => {}, answer: async () => new Promise(() => {}) })
    await both(romeo, juliet)
    const lost = assert.rejects(romeo.request('juliet', note('wilt thou?'), 60_000), { name: 'BusError', code: 'no-responder' })
    juliet.send('romeo', note('adieu'))
    await juliet.close()
    await lost
    await until(() => seen.length === 1)
    await assert.rejects(romeo.request('juliet', note('again?'), 60_000), { code: 'no-responder' })
    const again = await enter('juliet', { bootId: '2' })
    keep(again)
    await both(romeo, again)
    assert.equal(await romeo.request('juliet', note('ay'), 5000), 'ay')
    assert.deepEqual(events, ['up juliet 1', 'gone juliet 1', 'up juliet 2'])
  })

  test('large messages and many small ones arrive whole and in order', async () => {
    const [romeo, juliet] = [await enter('romeo'), await enter('juliet')]
    const seen: string[] = []
    juliet.attach({ receive: (_from, message) => void seen.push(message.text), answer: async () => undefined })
    await both(romeo, juliet)
    const texts = Array.from({ length: 2000 }, (_, at) => (at % 400 === 7 ? `${at}${'é💔'.repeat(200_000)}` : `${at}`))
    for (const text of texts) romeo.send('juliet', note(text))
    await until(() => seen.length === texts.length)
    assert.deepEqual(seen, texts)
  })

  test('a message to a peer that is gone is dropped, counted, and logged once', async () => {
    const metrics = recordingMetrics()
    const log = recordingLog()
    const romeo = await enter('romeo', { metrics, log })
    for (let at = 0; at < 3; at++) romeo.send('juliet', note('where art thou?'))
    assert.equal(metrics.value('rollcall_bus_socket_dropped_messages'), 3)
    assert.equal(log.of('bus-message-dropped').length, 1)
  })

  test('pending requests are bounded', async () => {
    const [romeo, juliet] = [await enter('romeo', { pendingRequestsMax: 1 }), await enter('juliet')]
    keep(juliet)
    await both(romeo, juliet)
    const first = romeo.request('juliet', note('one'), 5000)
    await assert.rejects(romeo.request('juliet', note('two'), 5000), { code: 'timeout' })
    assert.equal(await first, 'one')
  })

  test('a listener that throws and a message that cannot travel harm nobody', async () => {
    const log = recordingLog()
    const onPeer = (): void => {
      throw new Error('a plague')
    }
    const [romeo, juliet] = [await enter('romeo', { log, onPeer, pendingRequestsMax: 1 }), await enter('juliet')]
    const seen = keep(juliet)
    await both(romeo, juliet)
    const cyclic: { kind: string; text: string; self?: unknown } = { kind: 'note', text: '' }
    cyclic.self = cyclic
    romeo.send('juliet', cyclic)
    assert.equal(log.of('bus-message-unsendable').length, 1)
    await assert.rejects(romeo.request('juliet', cyclic, 1000), TypeError)
    assert.equal(await romeo.request('juliet', note('one at a time'), 1000), 'one at a time')
    romeo.send('juliet', note('well'))
    await until(() => seen.length === 1)
    assert.equal(log.of('bus-peer-listener-threw').length, 1)
  })

  test('an id that is taken, an id that is no file name, and a directory that others may enter are refused', async () => {
    await enter('romeo')
    const refused = async (folder: string, memberId: string, why: RegExp): Promise<void> => {
      const bus = make(folder, memberId)
      await assert.rejects(bus.open(), why)
      await bus.close()
    }
    await refused(directory, 'romeo', /running member/)
    await refused(directory, '../romeo', /member id/)
    await refused(join(directory, 'x'.repeat(100)), 'romeo', /longer than/)
    await chmod(directory, 0o755)
    await refused(directory, 'juliet', /0700/)
    await chmod(directory, 0o700)
  })

  test('what a dead process left behind is replaced', async () => {
    await writeFile(join(directory, 'romeo.sock'), '')
    await writeFile(join(directory, 'tybalt.sock'), '')
    await writeFile(join(directory, 'notes.txt'), '')
    const romeo = await enter('romeo')
    assert.equal(romeo.peers.size, 0)
  })

  // ------------------------------------------------------------------------------------ peers that misbehave

  const helloOf = (id: string): string => helloRecord({ memberId: id, bootId: 'x', protocolVersion: 9 }, 'romeo')
  const handMadeSocket = (socket: Socket): Socket => {
    socket.on('error', () => {})
    open.push({ close: async () => void socket.destroy() })
    return socket
  }

  /** Listens as `id`. */
  async function listenAs(id: string, onConnection: (socket: Socket) => void): Promise<void> {
    const server = createServer(socket => onConnection(handMadeSocket(socket)))
    open.push({ close: async () => void server.close() })
    await new Promise<void>(resolve => server.listen(join(directory, `${id}.sock`), resolve))
  }

  /** Connects to romeo and says hello. */
  function connectToRomeo(hello: string): Socket {
    const fromRomeo = handMadeSocket(connect(join(directory, 'romeo.sock')))
    fromRomeo.write(hello, 'latin1')
    return fromRomeo
  }

  /** A peer made by hand: listens as `id`, says hello to whoever connects, and connects to romeo. */
  async function handMade(id: string, hello = helloOf(id)): Promise<{ toRomeo: Socket; fromRomeo: Socket }> {
    const accepted = Promise.withResolvers<Socket>()
    await listenAs(id, (socket) => {
      socket.write(hello, 'latin1')
      accepted.resolve(socket)
    })
    const fromRomeo = connectToRomeo(hello)
    return { toRomeo: await accepted.promise, fromRomeo }
  }

  const asked = (serial: number, kind: string): string => record(MARK.request, `${String.fromCharCode(serial)}{"kind":"${kind}","text":"asked"}`)

  test('who is asked in the same breath as it is met answers', async () => {
    const answers: string[] = []
    await listenAs('mercutio', (toRomeo) => {
      connectToRomeo(helloOf('mercutio')).on('data', (bytes: Buffer) => {
        // After the first of these, the hello, both connections stand.
        if (answers.push(bytes.toString('latin1')) === 1) toRomeo.write(helloOf('mercutio') + asked(1, 'note'), 'latin1')
      })
    })
    const romeo = make<Note>(directory, 'romeo')
    open.push(romeo)
    const seen = keep(romeo)
    await romeo.open()
    await until(() => answers.length > 1)
    assert.deepEqual([answers.slice(1), seen], [[record(MARK.reply, `${String.fromCharCode(1)}"asked"`)], []])
  })

  test('who asks before it listens to the answer gets it when it does', async () => {
    await listenAs('mercutio', toRomeo => void toRomeo.write(helloOf('mercutio') + asked(1, 'note'), 'latin1'))
    const romeo = make<Note>(directory, 'romeo')
    open.push(romeo)
    let isAsked = false
    romeo.attach({ receive: () => {}, answer: async (_from, { text }) => (isAsked = true, text) })
    await romeo.open()
    await until(() => isAsked)
    await new Promise(resolve => setTimeout(resolve, 5))
    let answers = ''
    connectToRomeo(helloOf('mercutio')).on('data', (bytes: Buffer) => void (answers += bytes.toString('latin1')))
    await until(() => answers.includes('"asked"'))
  })

  test('a peer that does not read is given up, and may come back', async () => {
    const events: PeerEvent[] = []
    const metrics = recordingMetrics()
    const romeo = await enter('romeo', { bufferCharsMax: 1_000_000, metrics, onPeer: event => void events.push(event) })
    const { fromRomeo } = await handMade('mercutio')
    fromRomeo.pause()
    await until(() => romeo.peers.has('mercutio'))
    assert.equal(romeo.peers.get('mercutio')?.protocolVersion, 9)
    const rejected = assert.rejects(romeo.request('mercutio', note('?'), 60_000), { code: 'no-responder' })
    let most = 0
    for (let at = 0; at < 1000 && romeo.peers.has('mercutio'); at++) {
      romeo.send('mercutio', note('x'.repeat(10_000)))
      most = Math.max(most, metrics.value('rollcall_bus_socket_buffered_bytes')!)
      if (at % 10 === 9) await new Promise(resolve => setImmediate(resolve))
    }
    await rejected
    assert.match(events.find(({ kind }) => kind === 'gone')?.why ?? '', /does not read/)
    assert.ok(most > 500_000 && most < 1_200_000, `${most} characters were kept`)
  })

  test('who waits until a peer was written to waits while it does not read', async () => {
    const romeo = await enter('romeo')
    const { fromRomeo } = await handMade('mercutio')
    fromRomeo.pause()
    await until(() => romeo.peers.has('mercutio'))
    const written: number[] = []
    romeo.afterWritten('mercutio', () => void written.push(0))
    assert.deepEqual(written, [0], 'there was nothing to write')
    // More than the kernel takes; the second behind what is not written yet.
    for (const at of [1, 2]) {
      for (let i = 0; i < 100; i++) romeo.send('mercutio', note('x'.repeat(10_000)))
      romeo.afterWritten('mercutio', () => void written.push(at))
    }
    await new Promise(resolve => setTimeout(resolve, 50))
    assert.deepEqual(written, [0])
    fromRomeo.resume()
    await until(() => written.length === 3)
    assert.deepEqual(written, [0, 1, 2])
  })

  test('records of later versions are skipped, unknown kinds are dropped, and unreadable messages are only logged', async () => {
    const log = recordingLog()
    const codec = jsonCodec<Note>()
    const decoder = codec.decoder()
    const known = { ...codec, decoder: () => ({ ...decoder, message: (reader: Parameters<typeof decoder.message>[0]) => {
      const message = decoder.message(reader)
      return message?.kind === 'note' ? message : undefined
    } }) }
    const romeo = await enter('romeo', { log, codec: known })
    const seen = keep(romeo)
    const { toRomeo, fromRomeo } = await handMade('mercutio')
    await until(() => romeo.peers.has('mercutio'))
    let answers = ''
    fromRomeo.on('data', (bytes: Buffer) => void (answers += bytes.toString('latin1')))
    toRomeo.write([
      record(126, 'of a later version'), record(MARK.message, '{"kind":"sonnet"}'), record(MARK.message, 'no json'),
      asked(1, 'sonnet'), asked(2, 'note'), record(MARK.message, '{"kind":"note","text":"known"}'),
    ].join(''), 'latin1')
    await until(() => seen.length === 1 && answers.includes('asked'))
    assert.deepEqual(seen, ['mercutio known'])
    assert.equal(log.of('bus-message-unreadable').length, 1)
    assert.match(answers, /does not know/)
  })

  for (const [what, hello] of [
    ['garbage', 'GET / HTTP/1.1\r\n\r\n'.repeat(10)],
    ['another format', record(MARK.hello, '{"format":99,"protocol":1,"member":"tybalt","boot":"1","to":"romeo"}')],
    ['a hello for another member', helloRecord({ memberId: 'tybalt', bootId: '1', protocolVersion: 1 }, 'juliet')],
    ['a name that is not its own', helloRecord({ memberId: 'paris', bootId: '1', protocolVersion: 1 }, 'romeo')],
  ] as const) {
    test(`who says ${what} is no peer`, async () => {
      const log = recordingLog()
      const [romeo, juliet] = [await enter('romeo', { log }), await enter('juliet')]
      const seen = keep(juliet)
      await both(romeo, juliet)
      await handMade('tybalt', hello)
      await until(() => log.of('bus-peer-refused').length > 0)
      romeo.send('juliet', note('still here'))
      await until(() => seen.length === 1)
      assert.deepEqual([...romeo.peers.keys()], ['juliet'])
    })
  }

  // ------------------------------------------------------------------------------------ real processes

  test('a process that is killed is gone at once, and its successor is met', async () => {
    const children: ChildProcess[] = []
    const start = (): ChildProcess => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'testing/member-process.ts'), directory, 'juliet'], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.push(child)
      return child
    }
    try {
      const romeo = await enter('romeo')
      const seen = keep(romeo)
      for (let round = 1; round <= 2; round++) {
        const child = start()
        await until(() => romeo.peers.get('juliet')?.bootId === `${child.pid}`)
        assert.equal(await romeo.request('juliet', note('who?'), 5000), `juliet ${child.pid}`)
        romeo.send('juliet', note(`${round}`))
        await until(() => seen.length === round)
        const lost = assert.rejects(romeo.request('juliet', { kind: 'wait', text: '' }, 60_000), { code: 'no-responder' })
        const startMs = performance.now()
        child.kill('SIGKILL')
        await lost
        assert.ok(performance.now() - startMs < 2000)
      }
    } finally {
      for (const child of children) child.kill('SIGKILL')
    }
  })
})
