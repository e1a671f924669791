/**
 * Logins with SASL2 (XEP-0388): what the client sends, decoded, to `Sasl2Session`; what that answers, to the wire; and
 * between `granted` and `<success/>` everything that was asked for inline - remembering the client and its token
 * (XEP-0484), resumption (XEP-0198 §2), Bind 2 (XEP-0386) - so that one round trip takes a client back online.
 *
 * One object serves all clients. As everywhere before a session, elements are handled strictly one after the other.
 */
import type { Jid } from '@rollcall/jid'
import type { SessionOrigin } from '@rollcall/module-api'
import {
  Bind2Bound, CodecError, ConfigVersion, ConfigVersionMismatch, FastToken, Sasl2Authenticate, Sasl2Challenge,
  Sasl2Continue, Sasl2Failure, Sasl2Next, Sasl2Response, Sasl2Success, Sasl2TaskData, ScramUpgradeHash, ScramUpgradeSalt,
  SmEnabled,
} from '@rollcall/protocol'
import type { Bind2Request, SmResume } from '@rollcall/protocol'
import { NS_CLIENT } from '@rollcall/stanza'
import { sasl2Session, tokenMechanismsFor } from '@rollcall/stream'
import type { SaslFailed, Sasl2Granted, Sasl2Reply } from '@rollcall/stream'
import { parseElement } from '@rollcall/xml'
import type { Frame, XmlElement } from '@rollcall/xml'
import type { LoginFinished } from '../protocol/login-messages.ts'
import type { BindReply, ResumeReply } from '../protocol/messages.ts'
import type { Connection } from './connection.ts'
import { boundFeatures, sessionFeatures } from './features.ts'
import { handOn } from './hand-on.ts'
import type { Hub } from './hub.ts'
import type { Negotiation } from './negotiation.ts'
import { maySasl2 } from './sasl2-features.ts'
import { attemptOf, isBadlyEncoded, wishesOf } from './sasl2-wishes.ts'
import type { InlineWishes } from './sasl2-wishes.ts'
import { holdUntil, noteFailure, sessionOrUndo, startStanzas } from './stream-steps.ts'
import { faultOf, NS_SM } from './stream-wire.ts'
import type { StreamFault } from './stream-wire.ts'

/** What came of one wish. */
interface Step {
  readonly results: readonly XmlElement[]
  /** The session that the stream has. */
  readonly jid?: Jid
  /** The stream is to end. */
  readonly fault?: StreamFault
}

interface Outcome extends Step {
  readonly isResumed: boolean
}

const NOTHING: Step = { results: [] }

export class Sasl2Login {
  readonly #hub: Hub

  constructor(hub: Hub) {
    this.#hub = hub
  }

  /** An element of XEP-0388's namespace on a stream that has not authenticated. */
  element(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    const { context } = negotiation
    if (context === undefined || !maySasl2(context)) {
      // XEP-0388 §5: under TLS only.
      this.#refuse(connection, { kind: 'failure', condition: 'encryption-required' })
      return
    }
    const sasl2 = negotiation.sasl2 ??= sasl2Session(context, negotiation.from, this.#hub.config.limits.saslAttemptsMax)
    const element = frame.toElement()
    try {
      const running = this.#step(connection, negotiation, element)
      if (running !== undefined) holdUntil(this.#hub, connection, running, (reply) => this.#answer(connection, negotiation, reply))
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      const condition = isBadlyEncoded(element) ? 'incorrect-encoding' : 'malformed-request'
      const abandoned = sasl2.isUnderWay ? sasl2.abort() : undefined
      this.#fail(connection, negotiation, { kind: 'failure', condition, ...(abandoned && { text: 'the attempt is over' }) })
    }
  }

  /** What a client sent, on its way; undefined when it was answered. */
  #step(connection: Connection, negotiation: Negotiation, element: XmlElement): Promise<Sasl2Reply | undefined> | undefined {
    const { sasl2 } = negotiation
    if (sasl2 === undefined) return undefined
    switch (element.name) {
      case 'authenticate':
        return this.#authenticate(connection, negotiation, Sasl2Authenticate.decode(element))
      case 'response':
        return sasl2.response(Sasl2Response.decode(element).data)
      case 'next':
        return sasl2.next(Sasl2Next.decode(element).task)
      case 'task-data': {
        const hash = Sasl2TaskData.decode(element).content.find((content) => ScramUpgradeHash.matches(content))
        return sasl2.saltedPassword(hash && ScramUpgradeHash.decode(hash).saltedPassword)
      }
      case 'abort':
        return Promise.resolve(sasl2.abort())
      default:
        connection.fail({ condition: 'unsupported-stanza-type' })
        return undefined
    }
  }

  #authenticate(
    connection: Connection, negotiation: Negotiation, request: Sasl2Authenticate,
  ): Promise<Sasl2Reply | undefined> | undefined {
    const { guard, metrics, nowMs } = this.#hub
    const { context, sasl2 } = negotiation
    if (context === undefined || sasl2 === undefined) return undefined
    if (!sasl2.isUnderWay) {
      if (guard.authWaitMs(connection.address, nowMs) > 0) {
        metrics.auth('address-locked')
        this.#refuse(connection, { kind: 'failure', condition: 'temporary-auth-failure' })
        return undefined
      }
      const version = request.inline.find((element) => ConfigVersion.matches(element))
      if (version !== undefined && ConfigVersion.decode(version).value !== negotiation.featuresVersion) {
        // XEP-0509 §2.2: without prejudice, for the client could not know.
        this.#refuse(connection, { kind: 'failure', condition: 'aborted', text: 'the features have changed' }, [ConfigVersionMismatch.encode({})])
        return undefined
      }
      negotiation.wishes = wishesOf(request, tokenMechanismsFor(context))
    }
    return sasl2.authenticate(attemptOf(request))
  }

  // ------------------------------------------------------------------------------------ answers

  #answer(connection: Connection, negotiation: Negotiation, reply: Sasl2Reply | undefined): Promise<void> | undefined {
    switch (reply?.kind) {
      case undefined:
        return undefined
      case 'violation':
        // XEP-0388 §2.4
        connection.fail({ condition: 'policy-violation', text: reply.text })
        return undefined
      case 'challenge':
        connection.sendControl(Sasl2Challenge.toWire({ data: reply.data }))
        return undefined
      case 'continue':
        connection.sendControl(Sasl2Continue.toWire({
          tasks: { tasks: [reply.task] }, ...(reply.data && { additionalData: reply.data }),
        }))
        return undefined
      case 'salt':
        connection.sendControl(Sasl2TaskData.toWire({
          content: [ScramUpgradeSalt.encode({ salt: reply.salt, iterations: reply.iterations })],
        }))
        return undefined
      case 'failure':
        this.#fail(connection, negotiation, reply)
        return undefined
      case 'granted':
        negotiation.account = reply.account
        negotiation.isAnonymous = reply.isAnonymous
        return handOn(this.#hub, connection, reply) ? undefined : this.finish(connection, negotiation, reply)
    }
  }

  /** Does what was asked for inline, and answers with all of it. */
  async finish(connection: Connection, negotiation: Negotiation, granted: Sasl2Granted): Promise<void> {
    const outcome = await this.#fulfil(connection, negotiation, granted)
    if (connection.isOpen) this.#succeed(connection, negotiation, granted, outcome)
  }

  #fail(connection: Connection, negotiation: Negotiation, failure: SaslFailed): void {
    noteFailure(this.#hub, connection, failure)
    this.#sendFailure(connection, failure)
    // RFC 6120 §6.4.5
    if (negotiation.sasl2?.isExhausted === true) connection.fail({ condition: 'policy-violation', text: 'too many attempts' })
  }

  /** Refuses what was no attempt: it counts as an element only, of which there are few before a session. */
  #refuse(connection: Connection, failure: SaslFailed, details: readonly XmlElement[] = []): void {
    const { elements } = connection.negotiation ?? { elements: Infinity }
    if (elements < this.#hub.config.limits.preAuthElementsMax) this.#sendFailure(connection, failure, details)
    else connection.fail({ condition: 'policy-violation' })
  }

  #sendFailure(connection: Connection, { condition, text }: SaslFailed, details: readonly XmlElement[] = []): void {
    connection.sendControl(Sasl2Failure.toWire({ condition, details, ...(text !== undefined && { text }) }))
  }

  // ------------------------------------------------------------------------------------ after authentication

  /** Does what the client asked for inline (XEP-0388 §2.6.1). */
  async #fulfil(connection: Connection, { wishes }: Negotiation, granted: Sasl2Granted): Promise<Outcome> {
    const { clientId, token } = await this.#remember(connection, granted, wishes)
    const tokens = token === undefined ? [] : [FastToken.encode({ token: token.text, expiry: token.expiresAt })]
    const origin = { ...originOf(connection), method: granted.method, ...(clientId !== undefined && { clientId }) }
    const resumed = await this.#resume(connection, granted, wishes?.resume, origin)
    if (resumed.jid !== undefined || resumed.fault !== undefined) {
      return { ...resumed, isResumed: true, results: [...resumed.results, ...tokens] }
    }
    const bound = await this.#bind(connection, granted, wishes?.bind, origin)
    return { ...bound, isResumed: false, results: [...resumed.results, ...bound.results, ...tokens] }
  }

  /** A client that cannot be remembered is let in all the same: only its token waits for another time. */
  async #remember({ id }: Connection, { account, method }: Sasl2Granted, wishes: InlineWishes | undefined): Promise<LoginFinished> {
    try {
      return await this.#hub.request(account, {
        kind: 'finish-login', account, method,
        ...(wishes?.agent && { agent: wishes.agent }), ...(wishes?.tokenMechanism && { tokenMechanism: wishes.tokenMechanism }),
      }) as LoginFinished
    } catch (error) {
      this.#hub.ports.log.warn('login-not-remembered', { conn: id, error })
      return {}
    }
  }

  /** XEP-0198 §2.2: comes before binding, and makes it superfluous. */
  async #resume(
    connection: Connection, { account }: Sasl2Granted, wish: SmResume | undefined, origin: SessionOrigin,
  ): Promise<Step> {
    if (wish === undefined || connection.transport === 'bosh') return NOTHING
    const { previousId, handled } = wish
    const request = this.#hub.request(account, { kind: 'resume', account, previousId, handled, conn: connection.id, origin })
    const reply = await sessionOrUndo<ResumeReply>(connection, request, ({ isResumed }) => isResumed, this.#undoing(connection, account, 'lost'))
    if ('fault' in reply) return { results: [], fault: faultOf(reply.fault) ?? { condition: 'undefined-condition' } }
    const results = [parseElement(reply.wire, NS_CLIENT)]
    return reply.isResumed ? { results, jid: reply.jid } : { results }
  }

  async #bind(
    connection: Connection, { account, isAnonymous }: Sasl2Granted, wish: Bind2Request | undefined, origin: SessionOrigin,
  ): Promise<Step> {
    if (wish === undefined) return NOTHING
    const { tag = '', requests } = wish
    const usable = connection.transport === 'bosh' ? requests.filter((request) => request.ns !== NS_SM) : requests
    const request = this.#hub.request(account, {
      kind: 'bind', account, resourcepart: '', conn: connection.id, isAnonymous, bind2: { tag, requests: usable }, origin,
    })
    const reply = await sessionOrUndo<BindReply>(connection, request, ({ isBound }) => isBound, this.#undoing(connection, account, 'closed'))
    // XEP-0386 has no word for a refusal; the client is told why as the stream ends, and may come again.
    if (!reply.isBound) return { results: [], fault: { condition: 'resource-constraint', text: reply.text ?? reply.condition } }
    const results = reply.results ?? []
    if (results.some((result) => SmEnabled.matches(result))) connection.isManaged = true
    return { jid: reply.jid, results: [Bind2Bound.encode({ results })] }
  }

  #undoing(connection: Connection, account: Jid, reason: 'closed' | 'lost'): () => void {
    return () => this.#hub.undoSession(connection, account, reason)
  }

  #succeed(connection: Connection, negotiation: Negotiation, granted: Sasl2Granted, outcome: Outcome): void {
    const { hostInfo } = negotiation
    const { jid, results, fault, isResumed } = outcome
    if (fault !== undefined || hostInfo === undefined) {
      connection.fail(fault ?? { condition: 'internal-server-error' })
      return
    }
    const { config, metrics } = this.#hub
    // What Bind 2 has enabled is not offered again: a client might take it up.
    const isManageable = connection.transport !== 'bosh' && !connection.isManaged
    metrics.auth('success')
    negotiation.closeLogin()
    connection.sendControl(Sasl2Success.toWire({
      authorizationIdentifier: (jid ?? granted.account).toString(), results, ...(granted.data && { additionalData: granted.data }),
    }))
    if (isResumed) {
      connection.isManaged = true
      connection.isResumed = true
    }
    // XEP-0388 §2.6.1: features follow at once, the stream goes on; XEP-0198 §2.2: none follow a resumption.
    const features = jid === undefined ? boundFeatures(hostInfo, config, isManageable) : sessionFeatures(hostInfo, config, isManageable)
    if (!isResumed) connection.sendControl(`<stream:features>${features}</stream:features>`)
    if (jid === undefined) connection.stage = 'authenticated'
    else startStanzas(this.#hub, connection, jid, '')
  }
}

function originOf({ transport, address, isSecure }: Connection): SessionOrigin {
  return { transport, address, isSecure }
}
