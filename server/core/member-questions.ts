/**
 * The `Members` port: questions of modules to their like on all members, over the bus.
 *
 * Every question has a time limit, so that a member that hangs is an error for the asker and never a wait without end.
 */
import type { Members, Question } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { BusError } from '@rollcall/ports'
import type { Bus, Json, MemberId } from '@rollcall/ports'
import { StanzaError } from '@rollcall/stanza'
import type { StanzaErrorCondition } from '@rollcall/stanza'
import type { ModuleQuestion, ModuleReply } from '../protocol/member-messages.ts'
import type { ServerMessage } from '../protocol/messages.ts'
import type { Carrier, Placement } from '../protocol/placement.ts'

export interface MemberQuestionsPorts {
  readonly bus: Bus<ServerMessage>
  readonly placement: Placement
  /** Absent where there is one member. */
  readonly carrier: Carrier | undefined
}

const ANSWER_TIMEOUT_MS = 5_000

type AnswerJson = (asked: Json) => Json | Promise<Json>

export class MemberQuestions implements Members {
  readonly #ports: MemberQuestionsPorts
  readonly #answers = new Map<string, AnswerJson>()
  readonly #listeners: (() => void)[] = []

  constructor(ports: MemberQuestionsPorts) {
    this.#ports = ports
  }

  question<Asked extends Json, Answer extends Json>(name: string, answer: (asked: Asked) => Answer | Promise<Answer>): Question<Asked, Answer> {
    if (this.#answers.has(name)) throw new Error(`Two modules answer the question '${name}'`)
    this.#answers.set(name, (asked) => answer(asked as Asked))
    const { bus, carrier, placement } = this.#ports
    // One form for here and there: an answer that throws at once is a rejection too.
    const here = async (asked: Asked) => answer(asked)
    const message = (asked: Asked): ModuleQuestion => ({ kind: 'module-question', name, asked })
    return {
      all: (asked) => Promise.all([
        here(asked),
        ...(carrier?.others ?? []).map((member) => answerOf<Answer>(member, bus.request(member, message(asked), ANSWER_TIMEOUT_MS))),
      ]),
      owner: (account: Jid, asked) => (carrier === undefined || placement.isHere(account)
        ? here(asked)
        : answerOf<Answer>(undefined, carrier.request(account, message(asked), ANSWER_TIMEOUT_MS))),
    }
  }

  onCome(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** A member has come. */
  came(): void {
    for (const listener of this.#listeners) listener()
  }

  /** For another member; errors travel as data. */
  async answer({ asked, name }: ModuleQuestion): Promise<ModuleReply> {
    const answer = this.#answers.get(name)
    // A module that is off here, or a version that does not know the question.
    if (answer === undefined) return { condition: 'feature-not-implemented', text: `Nothing answers '${name}' on one of the members` }
    try {
      return { answer: await answer(asked) }
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      return { condition: error.condition, text: error.text ?? '' }
    }
  }
}

/** `member` is undefined when the owner of an account was asked. */
async function answerOf<Answer extends Json>(member: MemberId | undefined, request: Promise<unknown>): Promise<Answer> {
  const reply = await request.catch((error: unknown) => {
    if (!(error instanceof BusError) || error.code === 'remote') throw error
    throw new StanzaError('remote-server-timeout', `${member ?? 'The owner of the account'} does not answer`)
  }) as ModuleReply
  if ('answer' in reply) return reply.answer as Answer
  throw new StanzaError(reply.condition as StanzaErrorCondition, reply.text)
}
