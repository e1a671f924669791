/**
 * The frame around every mechanism: order of messages, limits, and the one place where errors become failures.
 *
 * A mechanism is just a function from message to step; throwing `SaslError` refuses. Whatever else is thrown - the core
 * did not answer, storage failed, our own defect - ends as `temporary-auth-failure`, so that nothing but an explicit
 * success lets anybody in.
 */
import { SaslError } from './sasl.ts'
import type { SaslExchange, SaslFailed, SaslStep } from './sasl.ts'

/** One message of a mechanism to the next step; called again only after a challenge. */
export type Mechanism = (data: Uint8Array) => Promise<SaslStep>

/** Longest message looked at: name, password and authzid of 1023 bytes each in SCRAM's worst escaping fit. */
export const SASL_MESSAGE_BYTES_MAX = 8192

const ABORTED: SaslFailed = { kind: 'failure', condition: 'aborted' }
const OUT_OF_TURN: SaslFailed = { kind: 'failure', condition: 'malformed-request', text: 'message out of turn' }
const YOUR_TURN: SaslStep = { kind: 'challenge', data: new Uint8Array(0) }

/** Wraps a client-first mechanism; all that we have are client-first. */
export function exchangeOf(mechanism: Mechanism): SaslExchange {
  let state: 'start' | 'waiting' | 'busy' | 'over' = 'start'
  const isOver = (): boolean => state === 'over'

  async function run(data: Uint8Array): Promise<SaslStep> {
    state = 'busy'
    let step: SaslStep
    try {
      if (data.length > SASL_MESSAGE_BYTES_MAX) throw new SaslError('malformed-request', 'message too long')
      step = await mechanism(data)
    } catch (error) {
      step = failureOf(error)
    }
    // Aborted meanwhile, or a second message came: whatever the mechanism found no longer counts.
    if (isOver()) return ABORTED
    state = step.kind === 'challenge' ? 'waiting' : 'over'
    return step
  }

  return {
    step(data) {
      if (state === 'busy' || state === 'over') {
        state = 'over'
        return Promise.resolve(OUT_OF_TURN)
      }
      if (state === 'start' && data === undefined) {
        state = 'waiting'
        return Promise.resolve(YOUR_TURN)
      }
      return run(data ?? new Uint8Array(0))
    },
    abort() {
      state = 'over'
      return ABORTED
    },
  }
}

function failureOf(error: unknown): SaslFailed {
  if (!(error instanceof SaslError)) return { kind: 'failure', condition: 'temporary-auth-failure', cause: error }
  return error.text === undefined
    ? { kind: 'failure', condition: error.condition }
    : { kind: 'failure', condition: error.condition, text: error.text }
}
