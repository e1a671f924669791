import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JidError, parseJid } from '@rollcall/jid'
import { CodecError, DataForm, form, formField, formTypeOf } from './index.ts'
import { parseXml } from './testing/case-pairs.ts'

const FEAST = 'urn:example:feast'
const fields = {
  host: formField.jid('host', { label: 'Host' }),
  guests: formField.jids('guests'),
  isMasked: formField.bool('masked', { label: 'Masks', desc: 'Whether faces are hidden' }),
  hour: formField.list('hour', { dusk: 'At dusk', dawn: 'At dawn' }),
  dances: formField.lists('dances', { pavane: 'Pavane', galliard: 'Galliard' }),
  seats: formField.uint('seats').optional(),
  password: formField.secret('password').optional(),
  motto: formField.text('motto').optional(),
  verse: formField.lines('verse'),
  token: formField.hidden('token').optional(),
}
const head = { title: 'The feast', instructions: ['Wear a mask.'] }
const Feast = form({ type: 'submit', ...head }, FEAST, fields)

const host = parseJid('capulet@verona.example')
const filled = (content: string, type = 'submit', formType = `<field var='FORM_TYPE'><value>${FEAST}</value></field>`): string =>
  `<x xmlns='jabber:x:data' type='${type}'>${formType}${content}</x>`
const hostField = `<field var='host'><value>capulet@verona.example</value></field>`
const hourField = `<field var='hour'><value>dusk</value></field>`

describe('typed forms', () => {
  it('read a submission', () => {
    const element = parseXml(filled(`
      ${hostField}${hourField}
      <field var='masked'><value>1</value></field>
      <field var='guests'><value>paris@verona.example</value><value/></field>
      <field var='dances'><value>galliard</value></field>
      <field var='seats'><value>40</value></field>
      <field var='verse'><value>Come,</value><value/><value>musicians!</value></field>
      <field var='unknown'><value>ignored</value></field>`))
    assert.deepEqual(Feast.decode(element), {
      host,
      guests: [parseJid('paris@verona.example')],
      isMasked: true,
      hour: 'dusk',
      dances: ['galliard'],
      seats: 40,
      verse: ['Come,', '', 'musicians!'],
    })
  })
  it('take an empty value for an absent one, but for text, and a submission without FORM_TYPE', () => {
    const element = parseXml(filled(`
      ${hostField}${hourField}<field var='masked'><value/></field><field var='seats'><value/></field>
      <field var='motto'><value/></field><field var='password'/>`, 'submit', ''))
    assert.deepEqual(Feast.decode(element), { host, guests: [], isMasked: false, hour: 'dusk', dances: [], motto: '', verse: [] })
  })

  const wrong: readonly [string, string, RegExp][] = [
    ['another type', filled(hostField + hourField, 'result'), /the form is of type result, not submit/],
    ['another FORM_TYPE', filled('', 'submit', `<field var='FORM_TYPE'><value>urn:example:duel</value></field>`), /FORM_TYPE is not urn:example:feast/],
    ['a missing field', filled(hostField), /field 'hour' is missing/],
    ['a required field left empty', filled(`<field var='host'><value/></field>`), /field 'host' is missing/],
    ['a choice that was not offered', filled(`${hostField}<field var='hour'><value>noon</value></field>`), /field 'hour': "noon" is not one of dusk, dawn/],
  ]
  for (const [title, xml, message] of wrong) {
    it(`refuse ${title}`, () => {
      assert.throws(() => Feast.decode(parseXml(xml)), (error) => error instanceof CodecError && message.test(error.message))
    })
  }
  it('keep the cause of a bad address', () => {
    const element = parseXml(filled(`<field var='host'><value>@</value></field>`))
    assert.throws(() => Feast.decode(element), (error) => error instanceof CodecError && error.cause instanceof JidError)
  })

  it('write a submission with what is given only', () => {
    assert.deepEqual(Feast.encode({ host, hour: 'dusk', isMasked: false }), parseXml(`
      <x xmlns='jabber:x:data' type='submit'>
        <field var='FORM_TYPE' type='hidden'><value>${FEAST}</value></field>
        ${hostField}<field var='masked'><value>false</value></field>${hourField}
      </x>`))
  })
  it('refuse to write without what is required or with what is wrong', () => {
    assert.throws(() => Feast.write({ host } as { host: typeof host, hour: 'dusk' }), { message: `<x xmlns='jabber:x:data'>: field 'hour' is missing` })
    assert.throws(() => Feast.blank({ seats: -1 }), /field 'seats': -1 is not from 0/)
  })
  it('write the blank form with labels, choices and proposals', () => {
    assert.deepEqual(DataForm.encode(Feast.blank({ hour: 'dawn' })), parseXml(`
      <x xmlns='jabber:x:data' type='form'>
        <title>The feast</title>
        <instructions>Wear a mask.</instructions>
        <field var='FORM_TYPE' type='hidden'><value>${FEAST}</value></field>
        <field var='host' type='jid-single' label='Host'><required/></field>
        <field var='guests' type='jid-multi'/>
        <field var='masked' type='boolean' label='Masks'><desc>Whether faces are hidden</desc></field>
        <field var='hour' type='list-single'>
          <required/><value>dawn</value>
          <option label='At dusk'><value>dusk</value></option>
          <option label='At dawn'><value>dawn</value></option>
        </field>
        <field var='dances' type='list-multi'>
          <option label='Pavane'><value>pavane</value></option>
          <option label='Galliard'><value>galliard</value></option>
        </field>
        <field var='seats' type='text-single'/>
        <field var='password' type='text-private'/>
        <field var='motto' type='text-single'/>
        <field var='verse' type='text-multi'/>
        <field var='token' type='hidden'/>
      </x>`))
  })
  it('may be declared as forms to fill in, always with values', () => {
    const Invitation = form({ type: 'form', ...head }, FEAST, { hour: fields.hour })
    const written = Invitation.write({ hour: 'dusk' })
    assert.equal(written.title, 'The feast')
    assert.deepEqual(Invitation.decode(DataForm.encode(written)), { hour: 'dusk' })
    assert.deepEqual(Invitation.read(DataForm.decode(DataForm.encode(Invitation.blank({ hour: 'dawn' })))), { hour: 'dawn' })
    assert.equal(Invitation.formType, FEAST)
  })
  it('tell the FORM_TYPE of any form', () => {
    assert.equal(formTypeOf(DataForm.decode(parseXml(filled('')))), FEAST)
    assert.equal(formTypeOf(DataForm.decode(parseXml(filled('', 'submit', '')))), undefined)
  })
})
