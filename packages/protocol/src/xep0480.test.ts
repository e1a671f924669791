import { describe } from 'node:test'
import { casePairs } from './testing/case-pairs.ts'
import { ScramUpgradeHash, ScramUpgradeSalt } from './xep0480.ts'

const ns = "xmlns='urn:xmpp:scram-upgrade:0'"

describe('XEP-0480: SASL upgrade tasks', () => {
  casePairs(ScramUpgradeSalt, [
    { title: 'salt', xml: `<salt ${ns} iterations='4096'>AQID</salt>`, value: { iterations: 4096, salt: new Uint8Array([1, 2, 3]) } },
  ])
  casePairs(ScramUpgradeHash, [{ title: 'hash', xml: `<hash ${ns}>AQID</hash>`, value: { saltedPassword: new Uint8Array([1, 2, 3]) } }])
})
