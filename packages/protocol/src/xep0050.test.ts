import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { XmlElement } from '@rollcall/xml'
import { Command, CommandActions, commandCondition, CommandNote } from './xep0050.ts'
import { casePairs } from './testing/case-pairs.ts'

const ns = 'http://jabber.org/protocol/commands'

describe('XEP-0050: ad-hoc commands', () => {
  casePairs(CommandActions, [
    {
      title: 'back or done',
      xml: `<actions xmlns='${ns}' execute='complete'><prev/><complete/></actions>`,
      value: { execute: 'complete', prev: true, next: false, complete: true },
    },
  ])
  casePairs(CommandNote, [
    { title: 'information', xml: `<note xmlns='${ns}'>The gates are open.</note>`, value: { type: 'info', text: 'The gates are open.' } },
    { title: 'warning', xml: `<note xmlns='${ns}' type='warn'>Tybalt is near.</note>`, value: { type: 'warn', text: 'Tybalt is near.' } },
  ])
  casePairs(Command, [
    {
      title: 'start',
      xml: `<command xmlns='${ns}' node='banish'/>`,
      value: { node: 'banish', action: 'execute', notes: [], payload: [] },
    },
    {
      title: 'start, said in full',
      xml: `<command xmlns='${ns}' node='banish' action='execute'/>`,
      value: { node: 'banish', action: 'execute', notes: [], payload: [] },
      isOnlyRead: true,
    },
    {
      title: 'a stage with a form',
      xml: `
        <command xmlns='${ns}' node='banish' sessionid='act3' status='executing' xml:lang='en'>
          <actions><complete/></actions>
          <note>Whom?</note>
          <x xmlns='jabber:x:data' type='form'/>
          <seal xmlns='urn:example:prince'/>
        </command>`,
      value: {
        node: 'banish',
        sessionid: 'act3',
        action: 'execute',
        status: 'executing',
        lang: 'en',
        actions: { prev: false, next: false, complete: true },
        notes: [{ type: 'info', text: 'Whom?' }],
        form: { type: 'form', instructions: [], fields: [], items: [] },
        payload: [new XmlElement('seal', 'urn:example:prince')],
      },
    },
  ])
  it('names its own error conditions (§4.4)', () => {
    assert.deepEqual(commandCondition('session-expired'), new XmlElement('session-expired', ns))
  })
})
