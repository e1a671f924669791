/** What a client asks for with `<authenticate/>` (XEP-0388 §2.3), read from the element. Functions throw `CodecError`. */
import { Bind2Request, Fast, FastRequestToken, SmResume } from '@rollcall/protocol'
import type { Sasl2Authenticate } from '@rollcall/protocol'
import { decodeBase64 } from '@rollcall/stream'
import type { FastLogin, Sasl2Request } from '@rollcall/stream'
import { NS_CLIENT } from '@rollcall/stanza'
import { parseElement } from '@rollcall/xml'
import type { XmlElement } from '@rollcall/xml'
import type { LoginAgent } from '../protocol/login-messages.ts'

/** Ids of clients: a UUID as XEP-0388 §2.3 wants it, and whatever else is text of about that length. */
const AGENT_ID = /^[\x21-\x7e]{1,64}$/

/** What is wanted beside authentication. */
export interface InlineWishes {
  readonly agent: LoginAgent | undefined
  readonly resume: SmResume | undefined
  readonly bind: Bind2Request | undefined
  /** The mechanism that a token is asked for. */
  readonly tokenMechanism: string | undefined
}

/** The same as plain data. */
export interface WishesWire extends Omit<InlineWishes, 'bind'> {
  readonly bind: string | undefined
}

export function wishesToWire({ bind, ...others }: InlineWishes): WishesWire {
  return { ...others, bind: bind && Bind2Request.toWire(bind) }
}

export function wishesFromWire({ bind, ...others }: WishesWire): InlineWishes {
  return { ...others, bind: bind === undefined ? undefined : Bind2Request.decode(parseElement(bind, NS_CLIENT)) }
}

/** The attempt itself. */
export function attemptOf({ mechanism, initialResponse, userAgent, upgrades, inline }: Sasl2Authenticate): Sasl2Request {
  const element = inline.find((candidate) => Fast.matches(candidate))
  const agent = agentOf(userAgent)
  const fast = element && agent ? fastLogin(Fast.decode(element), agent.id) : undefined
  return { mechanism, upgrades, ...(initialResponse && { initialResponse }), ...(fast && { fast }) }
}

function fastLogin({ count, invalidate }: Fast, agentId: string): FastLogin {
  return { agentId, isInvalidating: invalidate === true, ...(count !== undefined && { count }) }
}

/** Whether the data of a mechanism is not base64 (RFC 6120 §6.5.5), instead of something else being wrong. */
export function isBadlyEncoded(element: XmlElement): boolean {
  const carrier = element.name === 'response' ? element : element.child('initial-response')
  return carrier !== undefined && decodeBase64(carrier.text().trim()) === undefined
}

/** What goes with it. `tokenMechanisms`: those on offer. */
export function wishesOf({ userAgent, inline }: Sasl2Authenticate, tokenMechanisms: readonly string[]): InlineWishes {
  const bind = inline.find((element) => Bind2Request.matches(element))
  const resume = inline.find((element) => SmResume.matches(element))
  const token = inline.find((element) => FastRequestToken.matches(element))
  const mechanism = token && FastRequestToken.decode(token).mechanism
  return {
    agent: agentOf(userAgent),
    resume: resume && SmResume.decode(resume),
    bind: bind && Bind2Request.decode(bind),
    // XEP-0484 §3.2: only for what was on offer.
    tokenMechanism: mechanism !== undefined && tokenMechanisms.includes(mechanism) ? mechanism : undefined,
  }
}

/** Undefined without an id that can name an installation. */
function agentOf(agent: Sasl2Authenticate['userAgent']): LoginAgent | undefined {
  if (agent?.id === undefined || !AGENT_ID.test(agent.id)) return undefined
  const { id, software, device } = agent
  return { id, ...(software !== undefined && { software }), ...(device !== undefined && { device }) }
}
