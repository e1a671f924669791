import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { base64Type, boolType, enumType, integerType, intType, uintType } from './lexical.ts'

describe('lexical types', () => {
  it('read whole numbers with white space, sign and leading zeros', () => {
    assert.equal(uintType.parse(' 007\n'), 7)
    assert.equal(uintType.parse('+7'), 7)
    assert.equal(intType.parse('-7'), -7)
    assert.ok(Object.is(intType.parse('-0'), 0))
    assert.equal(uintType.parse('9007199254740991'), Number.MAX_SAFE_INTEGER)
  })
  for (const text of ['', 'seven', '7.0', '7e1', '0x7', '1 2', '9007199254740992', '99999999999999999999', '-1']) {
    it(`refuse '${text}' as a whole number from 0`, () => {
      assert.throws(() => uintType.parse(text), { name: 'LexicalError' })
    })
  }
  it('keep to the bounds of a number, read or written', () => {
    const priority = integerType('priority', -128, 127)
    assert.equal(priority.parse('-128'), -128)
    assert.equal(priority.format(127), '127')
    assert.throws(() => priority.parse('128'), { message: '128 is not from -128 to 127' })
    assert.throws(() => priority.format(-129), { message: '-129 is not from -128 to 127' })
    for (const value of [0.5, Number.NaN, Infinity, 2 ** 53]) {
      assert.throws(() => uintType.format(value), { message: `${value} is not a whole number` })
    }
  })
  it('read the four words for truth and write two', () => {
    assert.deepEqual(['true', '1', ' false ', '0'].map((text) => boolType.parse(text)), [true, true, false, false])
    assert.deepEqual([true, false].map((value) => boolType.format(value)), ['true', 'false'])
    for (const text of ['', 'TRUE', 'yes', '2']) assert.throws(() => boolType.parse(text), { name: 'LexicalError' })
  })
  it('write only the words of an enumeration', () => {
    const houses = enumType(['montague', 'capulet'])
    assert.equal(houses.parse(' capulet '), 'capulet')
    assert.throws(() => houses.format('escalus' as 'capulet'), { message: '"escalus" is not one of montague, capulet' })
  })
  it('cut the text of a peer short in errors', () => {
    assert.throws(() => boolType.parse('x'.repeat(1000)), { message: `"${'x'.repeat(40)}…" is not true or false` })
  })
  it('read base64 strictly, but for white space around it', () => {
    assert.deepEqual(base64Type.parse('\n /+8= '), Uint8Array.of(255, 239))
    assert.equal(base64Type.format(Uint8Array.of(255, 239)), '/+8=')
    for (const text of ['=', '/+8', '/+8=\n/+8=', '_-8=', 'A===']) assert.throws(() => base64Type.parse(text), { name: 'LexicalError' })
  })
})
