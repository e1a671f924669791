/** One request of a command session: which stage it is about, what it asks for, and the answer (XEP-0050 §2.4 and §3). */
import { CodecError, Command } from '@rollcall/protocol'
import type { CommandInput, DataForm } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { ElementCodec } from '@rollcall/stanza'
import type { XmlElement } from '@rollcall/xml'
import type { CommandCaller, CommandDefinition, CommandStage, FormStage } from './port.ts'
import { commandError, STAGES_MAX } from './sessions.ts'
import type { CommandSession, CommandSessions } from './sessions.ts'

const actions: readonly string[] = ['execute', 'prev', 'next', 'complete', 'cancel']

/** A command as requests carry it: an action that does not exist has an error of its own (XEP-0050 §4.4). */
export const commandRequest: ElementCodec<Command> = {
  ns: Command.ns,
  name: Command.name,
  decode(element) {
    const action = element.attribute('action')
    if (action !== undefined && !actions.includes(action)) throw commandError('malformed-action')
    return Command.decode(element)
  },
}

/** A refusal of the form as what XEP-0050 calls it; anything else stays what it is. */
function asCommandError(error: unknown): unknown {
  return error instanceof CodecError ? commandError('bad-payload', error.message) : error
}

export class CommandRunner {
  readonly #sessions: CommandSessions

  constructor(sessions: CommandSessions) {
    this.#sessions = sessions
  }

  async run(commands: ReadonlyMap<string, CommandDefinition>, request: Command, caller: CommandCaller): Promise<XmlElement> {
    const command = commands.get(request.node)
    if (command === undefined) throw new StanzaError('item-not-found', `There is no command '${request.node}'`)
    // Asked anew at every stage: rights may have been taken away in between.
    if (!command.mayRun(caller)) throw new StanzaError('forbidden')
    const answer = request.sessionid === undefined
      ? await this.#start(command, request, caller)
      : await this.#continue(this.#sessions.find(request.sessionid, command, caller), request)
    return Command.encode({ node: command.node, lang: 'en', ...answer })
  }

  async #start(command: CommandDefinition, request: Command, caller: CommandCaller): Promise<Answer> {
    // Without a session there is nothing to go on with; `complete` asks for what a single stage does anyway.
    if (request.action === 'cancel' || request.action === 'prev' || request.action === 'next') throw commandError('bad-action')
    this.#sessions.requireRoom(caller.from)
    const stage = await command.start(caller)
    const id = this.#sessions.newId()
    return stage.kind === 'final' ? finalAnswer(id, stage) : formAnswer(this.#sessions.open(id, command, caller, stage))
  }

  async #continue(session: CommandSession, request: Command): Promise<Answer> {
    if (request.action === 'cancel') {
      this.#sessions.end(session.id)
      return { sessionid: session.id, status: 'canceled' }
    }
    // Two requests at once would both act on the same stage.
    if (session.isBusy) throw new StanzaError('unexpected-request', 'The command is still at work')
    if (request.action === 'prev') {
      if (session.stages.length < 2) throw commandError('bad-action', 'This is the first stage')
      session.stages.pop()
      return formAnswer(session)
    }
    const present = session.stages.at(-1) as FormStage
    const action = request.action === 'execute' ? present.actions[0] : request.action
    if (!present.actions.includes(action)) throw commandError('bad-action', `'${action}' is not possible at this stage`)
    if (request.form === undefined) throw commandError('bad-payload', 'The form is missing')
    return this.#submit(session, present, request.form, action)
  }

  async #submit(session: CommandSession, present: FormStage, form: DataForm, action: 'next' | 'complete'): Promise<Answer> {
    // XEP-0050 §3.5: a form of type `cancel` counts as submitted.
    if (form.type !== 'submit' && form.type !== 'cancel') throw commandError('bad-payload', 'The form is not a submission')
    session.isBusy = true
    try {
      const stage = await present.submit({ ...form, type: 'submit' }, action)
      if (stage.kind === 'final') {
        this.#sessions.end(session.id)
        return finalAnswer(session.id, stage)
      }
      // Cancelled, or timed out, while the command was at work.
      if (!this.#sessions.has(session)) throw commandError('session-expired')
      if (session.stages.length >= STAGES_MAX) throw new StanzaError('resource-constraint', 'The command has too many stages')
      session.stages.push(stage)
      return formAnswer(session)
    } catch (error) {
      throw asCommandError(error)
    } finally {
      session.isBusy = false
    }
  }
}

type Answer = Omit<CommandInput, 'node'>

function formAnswer(session: CommandSession): Answer {
  const stage = session.stages.at(-1) as FormStage
  const [first] = stage.actions
  return {
    sessionid: session.id,
    status: 'executing',
    actions: {
      execute: first,
      prev: session.stages.length > 1,
      next: stage.actions.includes('next'),
      complete: stage.actions.includes('complete'),
    },
    form: stage.form,
  }
}

function finalAnswer(sessionid: string, stage: Extract<CommandStage, { kind: 'final' }>): Answer {
  const { notes, form, payload } = stage
  return { sessionid, status: 'completed', ...(notes && { notes }), ...(form && { form }), ...(payload && { payload }) }
}
