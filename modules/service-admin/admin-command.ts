/** What the commands of service administration share: who may run them, their nodes, and the shapes of their answers. */
import type { Jid } from '@rollcall/jid'
import type { ServerInfo } from '@rollcall/module-api'
import type { Log } from '@rollcall/ports'
import { CodecError, NS_DATA_FORM } from '@rollcall/protocol'
import type { DataForm, DataFormInput, FormCodec, FormFieldType } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { CommandCaller, CommandDefinition, CommandStage, FinalStage, FormStage } from '../commands/port.ts'

/** The FORM_TYPE, and the beginning of every node (XEP-0133). */
export const NS_ADMIN = 'http://jabber.org/protocol/admin'

export interface AdminCommand {
  /** Last part of the node, such as `add-user`. */
  readonly action: string
  readonly name: string
  start(caller: CommandCaller): CommandStage | Promise<CommandStage>
}

/** XEP-0133 §5 and §6: everybody but administrators is `forbidden`. What administrators did is logged, without their forms. */
export function adminCommand({ server, log }: { readonly server: ServerInfo; readonly log: Log }, { action, name, start }: AdminCommand): CommandDefinition {
  return {
    node: `${NS_ADMIN}#${action}`, name, scope: 'host',
    mayRun: ({ from }) => server.isAdmin(from),
    start: async (caller) => audited(await start(caller), () => {
      log.info('admin-command', { action, host: caller.to.domainpart, by: caller.from.toString() })
    }),
  }
}

/** Calls `report` when the command has come to its end. */
function audited(stage: CommandStage, report: () => void): CommandStage {
  if (stage.kind === 'form') return { ...stage, submit: async (form, action) => audited(await stage.submit(form, action), report) }
  report()
  return stage
}

/** A single form and what is done with its values. */
export function formStage<Values, In>(form: FormCodec<Values, In>, proposed: Partial<In>, act: (values: Values) => Promise<FinalStage>): FormStage {
  return {
    kind: 'form',
    form: form.blank(proposed),
    actions: ['complete'],
    submit: (submitted: DataForm) => act(form.read(submitted)),
  }
}

export function done(text: string): FinalStage {
  return { kind: 'final', notes: [{ type: 'info', text }] }
}

/** XEP-0050 §3.6: a command that could not do everything says so. */
export function doneExcept(text: string, failures: readonly string[]): FinalStage {
  return failures.length === 0 ? done(text) : { kind: 'final', notes: failures.map((failure) => ({ type: 'error', text: failure })) }
}

interface ResultField {
  readonly var: string
  readonly label: string
  readonly type: FormFieldType
  readonly values: readonly string[]
}

export function resultForm(fields: readonly ResultField[]): DataFormInput {
  return { type: 'result', fields: [{ var: 'FORM_TYPE', type: 'hidden', values: [NS_ADMIN] }, ...fields] }
}

/** A form that does not say what it must: becomes `bad-payload`. */
export function formProblem(text: string): CodecError {
  return new CodecError('x', NS_DATA_FORM, text)
}

/** The account addresses of a form: at least one, all of the host that the command is run at. */
export function requireLocal(jids: readonly Jid[], host: Jid): readonly Jid[] {
  if (jids.length === 0) throw formProblem('no address is given')
  for (const jid of jids) {
    if (jid.domainpart !== host.domainpart || jid.localpart === '') {
      throw new StanzaError('not-acceptable', `${jid.toString()} is not an account of ${host.toString()}`)
    }
  }
  return jids
}

/** What went wrong, if something did; only `StanzaError`s are part of an answer. */
export async function failuresOf(work: () => Promise<unknown>): Promise<string[]> {
  try {
    await work()
    return []
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error
    return [error.text ?? error.condition]
  }
}

/** Does something for each address, in order, and gathers what went wrong. */
export async function forEachJid(jids: readonly Jid[], act: (jid: Jid) => Promise<void>): Promise<string[]> {
  const failures: string[] = []
  for (const jid of jids) {
    for (const failure of await failuresOf(() => act(jid))) failures.push(`${jid.toString()}: ${failure}`)
  }
  return failures
}
