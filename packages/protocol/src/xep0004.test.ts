import { describe } from 'node:test'
import { DataForm, FormField, FormItem, FormOption, FormReported } from './xep0004.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'jabber:x:data'
const plain = { isRequired: false, values: [], options: [] }

describe('XEP-0004: data forms', () => {
  casePairs(FormOption, [
    { title: 'labelled', xml: `<option xmlns='${ns}' label='At dawn'><value>dawn</value></option>`, value: { label: 'At dawn', value: 'dawn' } },
    { title: 'bare', xml: `<option xmlns='${ns}'><value>dusk</value></option>`, value: { value: 'dusk' } },
  ])
  casePairs(FormField, [
    {
      title: 'to fill in',
      xml: `
        <field xmlns='${ns}' var='hour' type='list-single' label='Hour'>
          <desc>When to meet</desc>
          <required/>
          <value>dawn</value>
          <option label='At dawn'><value>dawn</value></option>
        </field>`,
      value: {
        var: 'hour',
        type: 'list-single',
        label: 'Hour',
        desc: 'When to meet',
        isRequired: true,
        values: ['dawn'],
        options: [{ label: 'At dawn', value: 'dawn' }],
      },
    },
    {
      title: 'several values, one of them empty',
      xml: `<field xmlns='${ns}' var='verse'><value>O Romeo,</value><value/></field>`,
      value: { ...plain, var: 'verse', values: ['O Romeo,', ''] },
    },
    {
      title: 'a type that is not understood is text (§3.3)',
      xml: `<field xmlns='${ns}' var='rose' type='scent'/>`,
      value: { ...plain, var: 'rose', type: 'text-single' },
      isOnlyRead: true,
    },
    {
      title: 'a heading',
      xml: `<field xmlns='${ns}' type='fixed'><value>Act II</value></field>`,
      value: { ...plain, type: 'fixed', values: ['Act II'] },
    },
  ])
  casePairs(FormReported, [
    {
      title: 'columns',
      xml: `<reported xmlns='${ns}'><field var='jid' type='jid-single' label='Address'/></reported>`,
      value: { fields: [{ ...plain, var: 'jid', type: 'jid-single', label: 'Address' }] },
    },
  ])
  casePairs(FormItem, [
    {
      title: 'a row',
      xml: `<item xmlns='${ns}'><field var='jid'><value>benvolio@montague.example</value></field></item>`,
      value: { fields: [{ ...plain, var: 'jid', values: ['benvolio@montague.example'] }] },
    },
  ])
  casePairs(DataForm, [
    {
      title: 'a form',
      xml: `
        <x xmlns='${ns}' type='form'>
          <title>The feast</title>
          <instructions>Wear a mask.</instructions>
          <instructions>Tell nobody.</instructions>
          <field var='FORM_TYPE' type='hidden'><value>urn:example:feast</value></field>
        </x>`,
      value: {
        type: 'form',
        title: 'The feast',
        instructions: ['Wear a mask.', 'Tell nobody.'],
        fields: [{ ...plain, var: 'FORM_TYPE', type: 'hidden', values: ['urn:example:feast'] }],
        items: [],
      },
    },
    { title: 'cancelled', xml: `<x xmlns='${ns}' type='cancel'/>`, value: { type: 'cancel', instructions: [], fields: [], items: [] } },
    {
      title: 'a table of results',
      xml: `
        <x xmlns='${ns}' type='result'>
          <reported><field var='name'/></reported>
          <item><field var='name'><value>Benvolio</value></field></item>
          <item><field var='name'><value>Mercutio</value></field></item>
        </x>`,
      value: {
        type: 'result',
        instructions: [],
        fields: [],
        reported: { fields: [{ ...plain, var: 'name' }] },
        items: [
          { fields: [{ ...plain, var: 'name', values: ['Benvolio'] }] },
          { fields: [{ ...plain, var: 'name', values: ['Mercutio'] }] },
        ],
      },
    },
  ])
})
