import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defineModule, option } from '@rollcall/module-api'
import { defaultExport, moduleList } from './module-list.ts'
import { configReference } from '../../server/config/example.ts'
import { doap, xepReference } from './references.ts'

const ping = defineModule({
  name: 'ping',
  summary: 'Answers pings.',
  implements: [{ xep: 199, version: '2.0.1', status: 'complete' }],
  config: { intervalMs: option.integer(60_000, 1000, 3_600_000, 'Pause between pings, in milliseconds.') },
  setup() {},
})
const roster = defineModule({
  name: 'roster',
  summary: 'Keeps contact lists.',
  implements: [
    { xep: 84, version: '1.0', status: 'partial', note: 'no a|b & c' },
    { rfc: 6121, version: '2011-03', status: 'complete' },
  ],
  isOffByDefault: true,
  setup() {},
})

describe('the generated list of modules', () => {
  it('imports each module under a name that is no reserved word', () => {
    const text = moduleList(['modules/last-activity/module.ts', 'modules/private/module.ts'])
    assert.match(text, /^import lastActivityModule from '\.\.\/modules\/last-activity\/module\.ts'$/m)
    assert.match(text, /= \[\n  lastActivityModule,\n  privateModule,\n\]\n$/)
  })

  it('is an empty list when there is no module', () => {
    assert.match(moduleList([]), /= \[\]\n$/)
  })

  it('rejects a file without a default export, and a name that is not the folder', () => {
    assert.equal(defaultExport('modules/ping/module.ts', { default: ping }), ping)
    assert.throws(() => defaultExport('modules/ping/module.ts', {}), /no default export/)
    assert.throws(() => defaultExport('modules/pong/module.ts', { default: ping }), /not its folder/)
  })
})

describe('the generated references', () => {
  it('list specifications with RFCs first, then XEPs by number', () => {
    const rows = xepReference([ping, roster]).split('\n').filter((line) => line.startsWith('| ['))
    assert.deepEqual(rows, [
      '| [RFC 6121](https://www.rfc-editor.org/rfc/rfc6121) | 2011-03 | complete | `roster` |',
      '| [XEP-0084](https://xmpp.org/extensions/xep-0084.html) | 1.0 | partial: no a\\|b & c | `roster` |',
      '| [XEP-0199](https://xmpp.org/extensions/xep-0199.html) | 2.0.1 | complete | `ping` |',
    ])
  })

  it('give each option its range, default and meaning', () => {
    const text = configReference([ping, roster])
    assert.match(text, /^\| `interval` \| duration, 1s to 1h \| `1m` \| Pause between pings, in milliseconds\. \| `ROLLCALL_MODULES__PING__INTERVAL` \|$/m)
    assert.match(text, /### modules\.roster\n\nKeeps contact lists\.\n\n.*\n.*\n\| `enabled` \| true, false \| `false` \|/)
  })

  it('escape what goes into XML', () => {
    assert.match(doap([roster], '0.1.0'), /<xmpp:note xml:lang='en'>no a\|b &amp; c<\/xmpp:note>/)
  })
})
