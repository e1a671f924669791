import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { test } from 'node:test'
import { recordingLog } from '@rollcall/testing'
import { createLog, createMetrics, endpointText, listenTcp, peerAddress, realClock, realRandom } from './index.ts'

test('the clock fires once, periodically and soon, and cancels', async () => {
  const clock = realClock(recordingLog())
  const seen: string[] = []
  clock.after(1, () => seen.push('cancelled')).cancel()
  // Too long for the system's timers, which would fire it at once.
  const far = clock.after(2 ** 40, () => seen.push('far'))
  clock.soon(() => seen.push('soon'))
  // A machine that stalls makes one of several periods.
  const twice = Promise.withResolvers<void>()
  const period = clock.every(2, () => void (seen.push('period'), seen.filter(name => name === 'period').length === 2 && twice.resolve()))
  await new Promise<void>((resolve, reject) => {
    const hold = setTimeout(() => reject(new Error('it does not fire')), 5000)
    clock.after(30, () => void twice.promise.then(() => (clearTimeout(hold), resolve())))
  })
  period.cancel()
  far.cancel()
  assert.equal(seen.filter(name => name === 'soon').length, 1)
  assert.ok(!seen.includes('cancelled') && !seen.includes('far'))
  assert.ok(Math.abs(clock.now() - Date.now()) < 1000)
  assert.ok(clock.monotonic() <= clock.monotonic())
  assert.throws(() => clock.every(0, () => {}), RangeError)
})

test('a clock callback that throws is logged and takes nothing down', async () => {
  const log = recordingLog()
  realClock(log).soon(() => {
    throw new Error('defect')
  })
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
  assert.equal(log.of('clock-callback-threw').length, 1)
})

test('random ids are URL-safe, have 96 bits and do not repeat', () => {
  const random = realRandom()
  const ids = new Set(Array.from({ length: 5000 }, () => random.id()))
  assert.equal(ids.size, 5000)
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{16}$/)
  assert.equal(random.bytes(33).length, 33)
  assert.equal(random.bytes(33).buffer.byteLength, 33)
  assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4/)
  assert.ok(random.fraction() < 1)
})

function capture(options: { isPretty?: boolean } = {}) {
  const lines: string[] = []
  const log = createLog({ ...options, destination: { write: line => void lines.push(line) } })
  return { log, lines }
}

test('the log writes JSON lines with event, level, time, bound fields and errors', () => {
  const { log, lines } = capture()
  log.child({ member: 'm1' }).error('storage-failed', { error: new Error('disk on fire'), depth: 2 })
  log.debug('not-shown')
  assert.equal(lines.length, 1)
  const line = JSON.parse(lines[0]!) as Record<string, unknown> & { error: { message: string; stack: string } }
  assert.deepEqual([line.level, line.event, line.member, line.depth], ['error', 'storage-failed', 'm1', 2])
  assert.equal(line.error.message, 'disk on fire')
  assert.match(String(line.time), /^\d{4}-\d\d-\d\dT/)
})

test('a level change reaches children made before it', () => {
  const { log, lines } = capture()
  const child = log.child({ a: 1 })
  assert.equal(child.isDebug, false)
  log.setLevel('debug')
  assert.equal(log.level, 'debug')
  assert.equal(child.isDebug, true)
  child.debug('shown')
  log.setLevel('error')
  child.warn('hidden')
  assert.deepEqual(lines.map(line => (JSON.parse(line) as { event: string }).event), ['shown'])
})

test('what was logged before flush is on standard output, in order, when the process exits', () => {
  const script = `const { createLog } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)})
    const log = createLog()
    for (let at = 0; at < 500; at++) log.info('line', { at })
    await log.flush()
    process.exit(0)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 })
  const numbers = stdout.trimEnd().split('\n').map(line => (JSON.parse(line) as { at: number }).at)
  assert.deepEqual(numbers, Array.from({ length: 500 }, (_, at) => at), stderr)
})

test('the log never throws, whatever the fields', () => {
  const { log, lines } = capture()
  const circular: Record<string, unknown> = {}
  circular.self = circular
  log.info('circular', circular)
  log.info('hostile', { value: { toJSON: () => { throw new Error('no') } } })
  log.info('big', { value: 10n })
  assert.equal(lines.length, 3)
})

test('readable lines keep control characters away from the terminal', () => {
  const { log, lines } = capture({ isPretty: true })
  log.warn('auth-failed', { account: 'tybalt\x1b[2J@capulet.example', error: new Error('wrong\x07') })
  const text = lines[0]!.replaceAll(/\x1b\[(33|0)m/g, '')
  assert.match(text, /^\d\d:\d\d:\d\d\.\d{3} warn {2}auth-failed account=tybalt\?\[2J@capulet\.example\n {2}Error: wrong\?/)
})

test('metrics render in the Prometheus text format', async () => {
  const metrics = createMetrics({ hasProcessMetrics: false })
  metrics.counter('stanzas_total', 'Stanzas', { kind: 'iq' }).add(2)
  metrics.counter('stanzas_total', 'Stanzas', { kind: 'iq' }).add(1)
  metrics.counter('stanzas_total', 'Stanzas', { kind: 'a "quoted"\n' }).add(5)
  metrics.gauge('depth_items', 'Depth').set(4)
  let sessions = 1
  metrics.observedGauge('sessions', 'Sessions', () => sessions)
  const histogram = metrics.histogram('wait_seconds', 'Waits', [0.1, 1])
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value)
  sessions = 9
  const lines = (await metrics.text()).split('\n')
  for (const line of [
    '# TYPE stanzas_total counter',
    'stanzas_total{kind="iq"} 3',
    'stanzas_total{kind="a \\"quoted\\"\\n"} 5',
    'depth_items 4',
    'sessions 9',
    '# TYPE wait_seconds histogram',
    'wait_seconds_bucket{le="0.1"} 2',
    'wait_seconds_bucket{le="1"} 3',
    'wait_seconds_bucket{le="+Inf"} 4',
    'wait_seconds_sum 7.65',
    'wait_seconds_count 4',
  ]) {
    assert.ok(lines.includes(line), `${line} is missing in\n${lines.join('\n')}`)
  }
  assert.throws(() => metrics.gauge('stanzas_total', ''), /is a counter/)
  assert.throws(() => metrics.gauge('Bad-Name', ''), /snake_case/)
  assert.match(metrics.contentType, /^text\/plain/)
})

test('process metrics include CPU and memory, and no lag that a timer measures', async () => {
  const text = await createMetrics().text()
  assert.match(text, /^process_cpu_seconds_total /m)
  assert.doesNotMatch(text, /eventloop_lag/)
  assert.match(text, /^process_resident_memory_bytes \d+/m)
})

test('listening gives the real port, and a taken port a clear error', async () => {
  const peers: string[] = []
  const listener = await listenTcp({ host: '127.0.0.1', port: 0 }, socket => {
    peers.push(peerAddress(socket))
    socket.end()
  })
  try {
    await assert.rejects(listenTcp({ host: '127.0.0.1', port: listener.port }, () => {}), {
      name: 'ListenError',
      code: 'EADDRINUSE',
      message: `cannot listen on 127.0.0.1:${listener.port}: another program listens there: stop it or choose another port`,
    })
    await new Promise<void>((resolve, reject) => {
      connect(listener.port, '127.0.0.1').on('close', () => resolve()).on('error', reject).resume()
    })
    assert.deepEqual(peers, ['127.0.0.1'])
  } finally {
    listener.close()
    listener.close()
  }
  await assert.rejects(listenTcp({ host: '127.0.0.1', port: 70_000 }, () => {}), { code: 'ERR_SOCKET_BAD_PORT' })
  await assert.rejects(listenTcp({ host: '192.0.2.1', port: 0 }, () => {}), { code: 'EADDRNOTAVAIL' })
})

test('a shared port is accepted twice', async () => {
  const first = await listenTcp({ host: '127.0.0.1', port: 0, isShared: true }, () => {})
  const second = await listenTcp({ host: '127.0.0.1', port: first.port, isShared: true }, () => {})
  assert.equal(second.port, first.port)
  first.close()
  second.close()
})

test('endpoints and peer addresses are written as people write them', () => {
  assert.equal(endpointText('::1', 5222), '[::1]:5222')
  assert.equal(endpointText('127.0.0.1', 5222), '127.0.0.1:5222')
  assert.equal(peerAddress({ remoteAddress: '::ffff:192.0.2.7' }), '192.0.2.7')
  assert.equal(peerAddress({ remoteAddress: '2001:db8::1' }), '2001:db8::1')
  assert.equal(peerAddress({ remoteAddress: undefined }), '')
})
