import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isMixedScript, skeleton } from './index.ts'

describe('skeleton', () => {
  const confusable: [string, string][] = [
    ['juliet', '\u0458uli\u0435t'], ['paypal', '\u0440\u0430\u0443\u0440\u0430l'], ['romeo', 'r0me0'], ['juliet', 'ju1iet'], ['romeo', 'rorneo'],
    ['lawrence', 'lavvrence'], ['nurse', '\u0578urse'], ['romeo', 'rom\u00e9o'], ['paris', 'p\u03b1r\u0131s'], ['mercutio', '\u043cercutio'],
    ['tybalt', 't\u045ebalt'], ['abram', 'abra\u0301m'], ['capulet', 'cap\u057dlet'],
  ]
  for (const [honest, imitation] of confusable) {
    test(`${honest} and ${imitation} are confusable`, () => assert.equal(skeleton(imitation), skeleton(honest)))
  }

  test('different names keep different skeletons', () => {
    const names = ['juliet', 'romeo', 'nurse', 'tybalt', 'mercutio', 'paris', 'benvolio', '\u65e5\u672c', '\u65e5\u672d',
      '\u0434\u0436\u0443\u043b\u044c\u0435\u0442\u0442\u0430']
    assert.equal(new Set(names.map(skeleton)).size, names.length)
  })

  test('is stable', () => {
    for (const [honest, imitation] of confusable) {
      for (const name of [honest, imitation]) assert.equal(skeleton(skeleton(name)), skeleton(name))
    }
  })
})

describe('isMixedScript (UTS #39 §5.1)', () => {
  test('one script, or the scripts of one East Asian writing system, are not mixed', () => {
    const single = ['juliet', 'juliet-1', '', '123', '\u0434\u0436\u0443\u043b', '\u65e5\u672c\u3054\u30ab\u30bf', '\u65e5\u672c',
      '\ud55c\u56fd', '\u4e2d\u3105', '\u03c0\u03c3', '\u0627\u0661', '\u{10400}']
    for (const text of single) assert.equal(isMixedScript(text), false, text)
  })

  test('scripts of different writing systems are mixed', () => {
    const mixed = ['\u0458uliet', 'p\u03b1ris', '\u05d0\u0627', '\ud55c\u3042', 'a\u65e5', 'a\u{10400}']
    for (const text of mixed) assert.equal(isMixedScript(text), true, text)
  })
})
