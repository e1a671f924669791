/**
 * Ad-hoc commands that modules offer to people (XEP-0050), without the protocol around them.
 *
 * A command is a function that answers with a stage: a form to fill in, which leads to the next stage, or the end. The
 * framework keeps the stages that a session went through, so going back needs nothing from the command.
 */
import { definePort } from '@rollcall/ports'
import type { Jid } from '@rollcall/jid'
import type { Account } from '@rollcall/module-api'
import type { CommandNote, DataForm, DataFormInput } from '@rollcall/protocol'
import type { XmlElement } from '@rollcall/xml'

/** Which entities have the command: every host, or every account. */
export type CommandScope = 'host' | 'account'

export interface CommandCaller {
  /** The full JID that runs the command. */
  readonly from: Jid
  /** The host or account (bare JID) that the command is run at. */
  readonly to: Jid
  /** The account, for commands of accounts. */
  readonly account: Account | undefined
}

/** A form that has to be filled in. */
export interface FormStage {
  readonly kind: 'form'
  readonly form: DataFormInput
  /** Ways onward, the default first: `next` when more stages follow, `complete` when it can be the last. */
  readonly actions: readonly ['next' | 'complete', ...('next' | 'complete')[]]
  /**
   * Gets the submitted form (type `submit`). A throw leaves the session at this stage: a `StanzaError` as it is, a
   * `CodecError` of reading the form as `bad-payload` (XEP-0050 §4.4).
   */
  submit(form: DataForm, action: 'next' | 'complete'): CommandStage | Promise<CommandStage>
}

/** The end. A command that ended without success says so in a note of type `error` (XEP-0050 §3.6). */
export interface FinalStage {
  readonly kind: 'final'
  readonly notes?: readonly CommandNote[]
  readonly form?: DataFormInput
  readonly payload?: readonly XmlElement[]
}

export type CommandStage = FormStage | FinalStage

export interface CommandDefinition {
  /** Unique within the scope. */
  readonly node: string
  /** What people see. */
  readonly name: string
  readonly scope: CommandScope
  /** Asked for every request, and for each list of commands: others get `forbidden` and do not see it listed. */
  mayRun(caller: CommandCaller): boolean
  start(caller: CommandCaller): CommandStage | Promise<CommandStage>
}

export interface Commands {
  /** Throws when the node is taken. */
  add(command: CommandDefinition): void
}
export const Commands = definePort<Commands>('commands')
