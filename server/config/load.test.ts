import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { defineModule, option } from '@rollcall/module-api'
import { defaultAuthConfig } from '../core/auth/config.ts'
import { defaultCoreLimits, defaultStreamManagement } from '../core/config.ts'
import { defaultEdgeConfig } from '../edge/config.ts'
import { ConfigError, loadConfig } from './load.ts'
import type { Environment } from './environment.ts'

const folder = mkdtempSync(join(tmpdir(), 'rollcall-config-'))
after(() => rmSync(folder, { recursive: true }))

const modules = [
  defineModule({
    name: 'last-activity',
    summary: 'Answers when an account was last connected.',
    implements: [],
    config: {
      revealUptime: option.boolean(true, 'Answer uptime queries.'),
      cacheMs: option.integer(1000, 0, 60_000, 'How long an answer is kept.'),
      greeting: option.choice('short', ['short', 'long'], 'How to greet.'),
    },
    setup: () => undefined,
  }),
  defineModule({ name: 'register', summary: 'In-band registration.', implements: [], isOffByDefault: true, setup: () => undefined }),
]

function load(text: string, env: Environment = {}) {
  const file = join(folder, 'rollcall.yaml')
  writeFileSync(file, text)
  return loadConfig({ file, env, modules })
}

/** What is said about a configuration, without the path of the folder: `line: message`, or `VARIABLE: message`. */
function faults(text: string, env: Environment = {}): string[] {
  try {
    load(text, env)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message.replaceAll(`${join(folder, 'rollcall.yaml')}:`, '').replaceAll(folder, '').split('\n')
  }
  return []
}

describe('no configuration at all', () => {
  const config = loadConfig({ file: undefined, env: {}, modules })

  it('is a try-out: localhost, loopback listeners, demo accounts, ./data', () => {
    assert.deepEqual(config.edge.hosts, ['localhost'])
    assert.deepEqual(config.edge.listeners.map(({ kind, address, port }) => `${kind} ${address} ${port}`), [
      'client 127.0.0.1 5222', 'client-tls 127.0.0.1 5223', 'http 127.0.0.1 5280',
    ])
    assert.equal(config.isDemo, true)
    assert.equal(config.dataDir, join(process.cwd(), 'data'))
    assert.equal(config.controlSocket, join(process.cwd(), 'data', 'control.sock'))
    assert.deepEqual(config.storage, {
      kind: 'sqlite', path: join(process.cwd(), 'data', 'rollcall.sqlite'), durability: 'full', cacheBytes: 16 * 2 ** 20, databaseBytesMax: undefined,
    })
    assert.deepEqual(config.admin, { isEnabled: true, address: '127.0.0.1', port: 5281 })
  })

  it('has the defaults that edge, core and authentication declare', () => {
    const { hosts: _hosts, listeners: _listeners, tls, ...rest } = config.edge
    const { hosts: _defaultHosts, listeners: _defaultListeners, tls: defaultTls, ...defaults } = defaultEdgeConfig
    assert.deepEqual(rest, defaults)
    assert.deepEqual({ ...tls, selfSignedDirectory: '' }, defaultTls)
    assert.deepEqual(config.core, {
      hosts: ['localhost'], admins: [], contacts: {}, modules: {}, limits: defaultCoreLimits, streamManagement: defaultStreamManagement,
    })
    const { hosts, anonymousHosts, ...auth } = config.auth
    assert.deepEqual(auth, defaultAuthConfig)
    assert.deepEqual([...hosts, ...anonymousHosts], ['localhost'])
  })

  it('puts everything into a data folder that the caller names', () => {
    const { dataDir, storage } = loadConfig({ file: undefined, env: {}, modules, dataDir: '/srv/rollcall' })
    assert.deepEqual([dataDir, storage.kind === 'sqlite' && storage.path], ['/srv/rollcall', '/srv/rollcall/rollcall.sqlite'])
  })
})

describe('a config file', () => {
  it('with hosts is no try-out: public listeners, no demo; a bare domain is a host', () => {
    const config = load('hosts: [Capulet.Example, montague.example]\n')
    assert.deepEqual(config.edge.hosts, ['capulet.example', 'montague.example'])
    assert.deepEqual(config.core.hosts, config.edge.hosts)
    assert.deepEqual(config.edge.listeners, defaultEdgeConfig.listeners)
    assert.equal(config.isDemo, false)
  })

  it('gives certificates by host, files relative to its own folder', () => {
    for (const name of ['capulet.pem', 'capulet.key']) writeFileSync(join(folder, name), '')
    const { edge } = load('hosts:\n  - domain: capulet.example\n    certificate: capulet.pem\n    key: capulet.key\n')
    const files = { certificateFile: join(folder, 'capulet.pem'), keyFile: join(folder, 'capulet.key') }
    assert.deepEqual(edge.tls.certificates, { 'capulet.example': files })
  })

  it('takes durations and sizes with their units', () => {
    const { edge, core } = load(`
limits: { stanzaBytesMax: 128KiB, inputBytesPerSecondMax: 1MB, idleAccount: 5m }
timeouts: { negotiation: 1.5s, keepalive: 0 }
http: { bosh: { inactivity: 2m } }
modules: { last-activity: { cache: 20s, enabled: false } }
`)
    assert.equal(edge.limits.stanzaBytesMax, 131_072)
    assert.equal(edge.limits.inputBytesPerSecondMax, 1_000_000)
    assert.equal(core.limits.idleAccountMs, 300_000)
    assert.deepEqual([edge.timeouts.negotiationMs, edge.timeouts.keepaliveMs], [1500, 0])
    assert.equal(edge.http.bosh.inactivitySeconds, 120)
    assert.deepEqual(core.modules, { 'last-activity': { cacheMs: 20_000, enabled: false } })
  })

  it('gives edge, core and authentication the limits of each', () => {
    const { edge, core, auth } = load('hosts: [capulet.example]\n')
    assert.deepEqual(edge.limits, defaultEdgeConfig.limits)
    assert.deepEqual(core.limits, defaultCoreLimits)
    assert.deepEqual(auth.lockout, defaultAuthConfig.lockout)
  })

  it('sets the thresholds of overload', () => {
    const { edge, pressure } = load('overload: { lagBrownOut: 80ms, memoryBytesMax: 2GiB, admission: { perSecond: 7 } }\n')
    assert.deepEqual([pressure.lagBrownOutMs, pressure.lagRefuseMs, pressure.memoryBytesMax], [80, 1_000, 2 ** 31])
    assert.deepEqual(edge.admission, { ...defaultEdgeConfig.admission, perSecond: 7 })
  })

  it('sets stream management', () => {
    const { core } = load(`
limits: { outputBytesMax: 32MiB }
streamManagement:
  { durability: async, resumeMax: 30m, location: '[2001:db8::1]:5222', unackedBytesMax: 16MiB, unackedStanzasMax: 500, ackTimeoutMin: 5s, ackTimeoutMax: 1m }
`)
    assert.deepEqual(core.streamManagement, {
      ...defaultStreamManagement, durability: 'async', resumeMaxSeconds: 1800, location: '[2001:db8::1]:5222', unackedBytesMax: 16 * 2 ** 20,
      unackedStanzasMax: 500, ackTimeoutMinMs: 5000, ackTimeoutMaxMs: 60_000,
    })
    for (const location of ['edge1.capulet.example:5222', 'capulet.example', '192.0.2.1:5222']) {
      assert.equal(load(`streamManagement: { location: '${location}' }`).core.streamManagement?.location, location)
    }
  })

  it('says who may log in and how', () => {
    const { edge, auth } = load(`
hosts:
  - { domain: capulet.example, anonymous: true }
  - montague.example
tls: { required: false }
auth: { mechanisms: [PLAIN], plainWithoutTls: true, iterations: { sha256: 5000 } }
`)
    assert.deepEqual(edge.sasl, { scramHashes: [], isPlainEnabled: true, mayPlainBeInsecure: true, isExternalEnabled: false, isAnonymousEnabled: true })
    assert.equal(edge.isTlsRequired, false)
    assert.deepEqual([...auth.anonymousHosts], ['capulet.example'])
    assert.deepEqual(auth.scramHashes, ['SHA-256'])
    assert.equal(auth.iterations['SHA-256'], 5000)
  })

  it('may be empty, or all comments', () => {
    for (const text of ['', '# nothing yet\n', 'limits:\n', '---\n']) assert.deepEqual(faults(text), [], text)
  })
})

/** Mistakes of every kind, with what is said about them. */
const mistakes: readonly [title: string, text: string, ...said: string[]][] = [
  ['a syntax error', 'hosts: [a.example\ndata: x\n', '2: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ['a tab', 'log:\n\tlevel: info\n', '2: indent with spaces: YAML takes no tabs'],
  ['a setting given twice', 'data: a\ndata: b\n', '2: this setting is there twice: remove one of them'],
  ['text instead of settings', '# rollcall\nhello\n', `2: ${'rollcall.yaml'} must hold settings, such as 'hosts:'`],
  ['an alias', 'admins: &a [a@a.example]\ncontacts: { admin: *a }\n', '2: aliases are not supported: write the value again'],
  ['an unknown section', '\nlimit:\n  stanzaBytesMax: 1MiB\n', `2: limit: there is no such setting; did you mean 'limits'?`],
  ['an unknown key', 'limits:\n  stanzaByteMax: 1MiB\n', `2: limits.stanzaByteMax: there is no such setting; did you mean 'stanzaBytesMax'?`],
  ['snake case', 'limits:\n  stanza_bytes_max: 1MiB\n', `2: limits.stanza_bytes_max: there is no such setting; did you mean 'stanzaBytesMax'?`],
  ['a key of code', 'timeouts:\n  idleMs: 5\n', `2: timeouts.idleMs: there is no such setting; write 'idle' with a unit, for instance idle: 30s`],
  ['a key one level too high', 'stanzaBytesMax: 1MiB\n', `1: stanzaBytesMax: there is no such setting here; it belongs in the section 'limits'`],
  ['a key like no other', 'log:\n  colour: red\n', '2: log.colour: there is no such setting; known are level, format'],
  ['an unknown module', 'modules:\n  last-activty: {}\n', `2: modules.last-activty: there is no such setting; did you mean 'last-activity'?`],
  ['an unknown option', 'modules:\n  register:\n    open: true\n', '3: modules.register.open: there is no such setting; known are enabled'],
  ['an option out of range', 'modules:\n  last-activity:\n    cache: 2m\n', '3: modules.last-activity.cache: must be from 0s to 1m'],
  ['a wrong choice', 'modules:\n  last-activity:\n    greeting: shrt\n', '3: modules.last-activity.greeting: must be one of short, long; did you mean short?'],
  ['yes for true', 'tls:\n  required: yes\n', '2: tls.required: must be true or false, not "yes"'],
  ['text for a number', 'admin:\n  port: http\n', '2: admin.port: must be a whole number'],
  ['a fraction', 'admin:\n  port: 1.5\n', '2: admin.port: must be a whole number'],
  ['a number out of range', 'admin:\n  port: 70000\n', '2: admin.port: must be from 0 to 65535'],
  ['a number for text', 'data: 5\n', `1: data: must be text: write '5' in quotes`],
  ['a duration without unit', 'timeouts:\n  idle: 30\n', '2: timeouts.idle: needs a unit: 30s, 30ms, 30m, 30h or 30d'],
  ['a bad duration', 'timeouts:\n  idle: soon\n', '2: timeouts.idle: must be a duration such as 15m'],
  ['half a second where seconds count', 'http:\n  bosh:\n    inactivity: 5500ms\n', '3: http.bosh.inactivity: must be whole seconds, not "5500ms"'],
  ['a bad size', 'limits:\n  stanzaBytesMax: 1 potato\n', '2: limits.stanzaBytesMax: must be a size such as 256KiB'],
  ['a size out of range', 'limits:\n  stanzaBytesMax: 1KiB\n', '2: limits.stanzaBytesMax: must be from 10kB to 64MiB'],
  ['no value', 'log:\n  level:\n', '2: log.level: has no value: write debug, info, warn, error, or remove the line'],
  ['a list for one value', 'log:\n  level: [info]\n', '2: log.level: must be one value (debug, info, warn, error), not a list'],
  ['one value for a list', 'admins: a@a.example\n', '1: admins: must be a list, for instance [one, two]'],
  ['a value for a section', 'log: debug\n', '1: log: must be a section with settings, one per line, indented'],
  ['a list of sections with a text', 'listeners: 5222\n', `1: listeners: must be a list, for instance - { kind: client, address: '::', port: 5222 }`],
  ['a needed setting that is absent', 'listeners:\n  - kind: client\n', '2: listeners[0].port: is needed: whole number, 0 to 65535. 0 lets the system choose.'],
  ['no domain', 'hosts: ["a b"]\n', `1: hosts[0].domain: 'a b' is not a domain: write a name such as chat.example`],
  ['a bad mechanism', 'auth:\n  mechanisms: [PLAINN]\n',
    '2: auth.mechanisms[0]: must be one of SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-512, PLAIN, EXTERNAL; did you mean PLAIN?'],
  ['an administrator that is no account', 'admins:\n  - a@localhost\n  - localhost\n', `3: admins[1]: 'localhost' is not an account: write localpart@host`],
  ['a contact that is no URI', 'contacts:\n  abuse: [abuse@a.example]\n',
    `2: contacts.abuse[0]: 'abuse@a.example' is not a URI: write mailto:name@chat.example, xmpp:name@chat.example or https://…`],
  ['a kind of contact that is unknown', 'contacts:\n  abus: []\n', `2: contacts.abus: there is no such setting; did you mean 'abuse'?`],
  ['a path without slash', 'http:\n  websocket:\n    path: ws\n', '3: http.websocket.path: must be a path that begins with /'],
  ['two listeners on one port', 'listeners:\n  - { kind: client, port: 5222 }\n  - { kind: https, port: 5222 }\n',
    '3: listeners[1].port: :: port 5222 is used by listeners[0] already: choose another port'],
  ['a host twice', 'hosts:\n  - a.example\n  - A.example\n', '3: hosts[1].domain: a.example is hosts[0] already: remove one of them'],
  ['a certificate without key', 'hosts:\n  - domain: a.example\n    certificate: rollcall.yaml\n',
    '3: hosts[0].certificate: the private key is missing: add hosts[0].key'],
  ['files that are not there', 'hosts:\n  - domain: a.example\n    certificate: no.pem\n    key: no.key\n',
    '3: hosts[0].certificate: there is no file /no.pem', '4: hosts[0].key: there is no file /no.key'],
  ['an administrator of elsewhere', 'hosts: [a.example]\nadmins: [romeo@b.example]\n',
    '2: admins[0]: romeo@b.example is on no host of this server: use one of a.example'],
  ['a component that nobody lets in', 'components:\n  - { domain: rooms.a.example, secret: s }\n',
    '2: components: no listener lets them in: add { kind: component, address: 127.0.0.1, port: 5347 } to listeners'],
  ['nobody can log in', 'auth:\n  mechanisms: []\n', '2: auth.mechanisms: nobody could log in: name at least one'],
  ['limits that contradict each other', 'limits:\n  outputHighBytes: 16MiB\n',
    '2: limits.outputHighBytes: is more than limits.outputBytesMax (8MiB): lower it or raise the other'],
  ['more to send again than may wait', 'streamManagement:\n  unackedBytesMax: 16MiB\n',
    '2: streamManagement.unackedBytesMax: is more than limits.outputBytesMax (8MiB), so that who resumes could be cut off again: lower it'],
  ['time-outs the wrong way round', 'streamManagement:\n  ackTimeoutMin: 2m\n',
    '2: streamManagement.ackTimeoutMin: is longer than streamManagement.ackTimeoutMax: lower it or raise the other'],
  ['refusing before the brown-out', 'overload:\n  lagRefuse: 100ms\n',
    '2: overload.lagRefuse: is less than overload.lagBrownOut: raise it or lower the other'],
  ['a place to resume with a scheme', 'streamManagement:\n  location: xmpp://a.example\n',
    `2: streamManagement.location: 'xmpp://a.example' is not a place to connect to: write xmpp.chat.example:5222 or [2001:db8::1]:5222`],
  ['many mistakes at once, in the order of lines', 'log:\n  level: loud\nadmin:\n  prot: 1\ntls:\n  required: 1\n',
    '2: log.level: must be one of debug, info, warn, error', `4: admin.prot: there is no such setting; did you mean 'port'?`,
    '6: tls.required: must be true or false, not 1'],
]

describe('mistakes in the file: every one names its line and the fix', () => {
  for (const [title, text, ...said] of mistakes) {
    it(title, () => {
      assert.deepEqual(faults(text).map((fault) => fault.trim().replace(/^(\d+: )\S*\/rollcall\.yaml/, '$1rollcall.yaml')), said)
    })
  }

  const unreadable: [title: string, make: (file: string) => void, said: RegExp][] = [
    ['absent', () => undefined, /there is no such file: see `rollcall config example`$/],
    ['too large', (file) => writeFileSync(file, '#'.repeat(2 ** 20 + 1)), /this is no config file$/],
    ['not UTF-8', (file) => writeFileSync(file, Buffer.from([0x23, 0xff])), /is not UTF-8 text$/],
  ]
  for (const [title, make, said] of unreadable) {
    it(`a file that is ${title}`, () => {
      const file = join(folder, `${title.replaceAll(' ', '-')}.yaml`)
      make(file)
      assert.throws(() => loadConfig({ file, env: {}, modules }), { code: 'config-unreadable', message: said })
    })
  }

  it('a folder, and a file without permission', () => {
    assert.throws(() => loadConfig({ file: folder, env: {}, modules }), /is not a file/)
    const file = join(folder, 'secret.yaml')
    writeFileSync(file, '')
    chmodSync(file, 0)
    // The superuser reads everything: then there is nothing to refuse.
    if (process.getuid?.() !== 0) assert.throws(() => loadConfig({ file, env: {}, modules }), /make it readable/)
  })
})

describe('environment variables', () => {
  it('override the file, at any depth, in any form', () => {
    const { edge, core, log } = load('hosts: [a.example]\nlog: { level: warn, format: json }\n', {
      ROLLCALL_HOSTS: 'b.example, c.example',
      ROLLCALL_LOG__LEVEL: 'debug',
      ROLLCALL_LIMITS__STANZA_BYTES_MAX: '64KiB',
      ROLLCALL_TLS__REQUIRED: 'false',
      ROLLCALL_ADMIN__PORT: '6000',
      ROLLCALL_LISTENERS: '[{ kind: client, port: 7222 }]',
      ROLLCALL_CONTACTS__ABUSE: 'mailto:abuse@b.example',
      ROLLCALL_MODULES__LAST_ACTIVITY__REVEAL_UPTIME: 'false',
      ROLLCALL_HTTP__BOSH__PAUSE_MAX: '60s',
    })
    assert.deepEqual(edge.hosts, ['b.example', 'c.example'])
    assert.deepEqual(log, { level: 'debug', format: 'json' })
    assert.equal(edge.limits.stanzaBytesMax, 65_536)
    assert.equal(edge.isTlsRequired, false)
    assert.deepEqual(edge.listeners, [{ kind: 'client', address: '::', port: 7222, isShared: false }])
    assert.deepEqual(core.contacts, { abuse: ['mailto:abuse@b.example'] })
    assert.deepEqual(core.modules, { 'last-activity': { revealUptime: false } })
    assert.equal(edge.http.bosh.pauseMaxSeconds, 60)
  })

  it('need no file', () => {
    const { edge, isDemo } = loadConfig({ file: undefined, env: { ROLLCALL_HOSTS: 'a.example' }, modules })
    assert.deepEqual([edge.hosts, isDemo], [['a.example'], false])
  })

  const wrong: [name: string, value: string, said: string][] = [
    ['ROLLCALL_LOG__LEVL', 'info', 'there is no such setting; did you mean ROLLCALL_LOG__LEVEL?'],
    ['ROLLCALL_HOST', 'a.example', 'there is no such setting; did you mean ROLLCALL_HOSTS?'],
    ['ROLLCALL_LOG', 'info', 'names a section: its settings are ROLLCALL_LOG__LEVEL, ROLLCALL_LOG__FORMAT'],
    ['ROLLCALL_DATA__DIR', 'x', 'data has no settings in it: set it as a whole with ROLLCALL_DATA'],
    ['ROLLCALL_ADMIN__PORT', 'http', 'admin.port: must be a whole number'],
    ['ROLLCALL_TLS__REQUIRED', 'yes', 'tls.required: must be true or false, not "yes"'],
    ['ROLLCALL_LISTENERS', '[{ kind: client }', 'not YAML: Flow sequence must end with a ]'],
    ['ROLLCALL_LISTENERS', '[{ kind: client }]', 'listeners[0].port: is needed: whole number, 0 to 65535. 0 lets the system choose.'],
    ['ROLLCALL_HOSTS', 'a b', `hosts[0].domain: 'a b' is not a domain: write a name such as chat.example`],
  ]
  for (const [name, value, said] of wrong) {
    it(`a mistake names the variable: ${name}=${value}`, () => {
      assert.deepEqual(faults('', { [name]: value }), [`${name}: ${said}`])
    })
  }

  it('that belong to others are left alone', () => {
    const env = { ROLLCALL_CONFIG: 'x.yaml', ROLLCALL_PORT: 'tcp://10.0.0.1:5222', ROLLCALL_SERVICE_HOST: '10.0.0.1', HOME: '/' }
    assert.deepEqual(faults('', env), [])
  })
})
