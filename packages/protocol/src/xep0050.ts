/** XEP-0050: Ad-Hoc Commands, version 1.3.0. */
import { XmlElement } from '@rollcall/xml'
import { attr } from './attr.ts'
import { child, children, extensions, flag } from './child.ts'
import { element } from './codec.ts'
import type { Infer, Input } from './codec.ts'
import { text } from './text.ts'
import { DataForm } from './xep0004.ts'

/** Also the disco node under which the commands of an entity are listed (XEP-0050 §2.2). */
export const NS_COMMANDS = 'http://jabber.org/protocol/commands'

/** The actions that the next stage allows, and which of them `execute` means (XEP-0050 §3.4). */
export const CommandActions = element(NS_COMMANDS, 'actions', {
  execute: attr.enum('execute', ['prev', 'next', 'complete']).optional(),
  prev: flag('prev'),
  next: flag('next'),
  complete: flag('complete'),
})
export type CommandActions = Infer<typeof CommandActions>

/** A remark for people (XEP-0050 §4.3). */
export const CommandNote = element(NS_COMMANDS, 'note', {
  type: attr.enum('type', ['info', 'warn', 'error']).default('info'),
  text: text(),
})
export type CommandNote = Infer<typeof CommandNote>

/** A stage of a command, asked for (with `action`) or reached (with `status` and `sessionid`). */
export const Command = element(NS_COMMANDS, 'command', {
  node: attr.string('node'),
  sessionid: attr.string('sessionid').optional(),
  action: attr.enum('action', ['execute', 'prev', 'next', 'complete', 'cancel']).default('execute'),
  status: attr.enum('status', ['executing', 'completed', 'canceled']).optional(),
  lang: attr.string('xml:lang').optional(),
  actions: child(CommandActions).optional(),
  notes: children(CommandNote),
  form: child(DataForm).optional(),
  /** Payloads that are not data forms. */
  payload: extensions(),
})
export type Command = Infer<typeof Command>
export type CommandInput = Input<typeof Command>

/** XEP-0050 §4.4: application-specific conditions with the stanza error that each goes with. */
export const commandConditions = {
  'malformed-action': 'bad-request',
  'bad-action': 'bad-request',
  'bad-locale': 'bad-request',
  'bad-payload': 'bad-request',
  'bad-sessionid': 'bad-request',
  'session-expired': 'not-allowed',
} as const

export type CommandCondition = keyof typeof commandConditions

/** The element for the `application` of a stanza error. */
export function commandCondition(condition: CommandCondition): XmlElement {
  return new XmlElement(condition, NS_COMMANDS)
}
