/**
 * A client's way to its resource: STARTTLS, SASL (RFC 6120 §5, §6; XEP-0388 in `sasl2-login.ts`), requests before a session
 * (XEP-0077), binding (§7), or the resumption of an earlier stream (XEP-0198 §5).
 */
import type { Jid } from '@rollcall/jid'
import { CodecError, SmFailed, SmResume } from '@rollcall/protocol'
import { NS_CLIENT, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { saslSession } from '@rollcall/stream'
import type { Sasl2Granted, SaslReply } from '@rollcall/stream'
import { escapeAttribute, escapeText } from '@rollcall/xml'
import type { Frame } from '@rollcall/xml'
import type { BindReply, ResumeReply } from '../protocol/messages.ts'
import { isUpgradable } from './capabilities.ts'
import type { ClientStanzas } from './client-stanzas.ts'
import type { Connection } from './connection.ts'
import { handOn } from './hand-on.ts'
import type { Hub } from './hub.ts'
import type { Negotiation } from './negotiation.ts'
import { Sasl2Login } from './sasl2-login.ts'
import { stanzaKind } from './stanza-in.ts'
import { holdUntil, noteFailure, sessionOrUndo, startStanzas } from './stream-steps.ts'
import { faultOf, NS_BIND, NS_SASL, NS_SASL2, NS_SM, NS_TLS } from './stream-wire.ts'

const NS_REGISTER = 'jabber:iq:register'
/** XEP-0198 §3: asked for at the wrong time. */
const SM_FAILED = SmFailed.toWire({ condition: { name: 'unexpected-request' } })

export class ClientLogin {
  readonly #hub: Hub
  readonly #stanzas: ClientStanzas
  readonly #sasl2: Sasl2Login

  constructor(hub: Hub, stanzas: ClientStanzas) {
    this.#hub = hub
    this.#stanzas = stanzas
    this.#sasl2 = new Sasl2Login(hub)
  }

  /** A login with SASL2 that was granted elsewhere; the connection is held until that is done. */
  finishSasl2(connection: Connection, negotiation: Negotiation, granted: Sasl2Granted): Promise<void> {
    return this.#sasl2.finish(connection, negotiation, granted)
  }

  /** Takes an element of a client that has no session yet. */
  element(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    if (connection.stage === 'negotiating') this.#beforeAuth(connection, negotiation, frame)
    else if (connection.stage === 'authenticated') this.#beforeBind(connection, negotiation, frame)
    else connection.fail({ condition: 'not-authorized' })
  }

  #beforeAuth(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    if (frame.ns === NS_SASL2) this.#sasl2.element(connection, negotiation, frame)
    // XEP-0388 §2.4: nothing else while an attempt is under way.
    else if (negotiation.sasl2?.isUnderWay === true) connection.fail({ condition: 'policy-violation', text: 'authenticate first' })
    else if (frame.ns === NS_TLS && frame.name === 'starttls') this.#startTls(connection, negotiation)
    else if (frame.ns === NS_SASL) this.#sasl(connection, negotiation, frame)
    else if (isPreAuthIq(frame) && negotiation.context !== undefined) this.#preAuthIq(connection, frame)
    else if (stanzaKind(frame, NS_CLIENT) !== undefined) connection.fail({ condition: 'not-authorized' })
    else if (frame.ns === NS_SM) connection.sendControl(SM_FAILED)
    else connection.refuseElement(frame, 'unsupported-stanza-type')
  }

  #startTls(connection: Connection, negotiation: Negotiation): void {
    if (!isUpgradable(connection) || !connection.mayUpgrade) {
      // RFC 6120 §5.4.2.2: a failure, then the stream ends.
      connection.sendControl(`<failure xmlns='${NS_TLS}'/>`)
      connection.close()
      return
    }
    negotiation.hasUpgraded = true
    negotiation.closeLogin()
    connection.upgrade()
  }

  // ------------------------------------------------------------------------------------ SASL

  #sasl(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    const { guard, metrics, nowMs, config } = this.#hub
    if (negotiation.context === undefined) {
      this.#refuseAuth(connection, negotiation, 'encryption-required')
      return
    }
    const sasl = negotiation.sasl ??= saslSession(negotiation.context, config.limits.saslAttemptsMax)
    switch (frame.name) {
      case 'auth': {
        if (guard.authWaitMs(connection.address, nowMs) > 0) {
          metrics.auth('address-locked')
          this.#refuseAuth(connection, negotiation, 'temporary-auth-failure')
          return
        }
        const mechanism = frame.attribute('mechanism') ?? ''
        holdUntil(this.#hub, connection, sasl.auth(mechanism, frame.text()), (reply) => this.#answer(connection, negotiation, reply))
        return
      }
      case 'response':
        holdUntil(this.#hub, connection, sasl.response(frame.text()), (reply) => this.#answer(connection, negotiation, reply))
        return
      case 'abort':
        this.#answer(connection, negotiation, sasl.abort())
        return
      default:
        connection.fail({ condition: 'unsupported-stanza-type' })
    }
  }

  #refuseAuth(connection: Connection, negotiation: Negotiation, condition: 'temporary-auth-failure' | 'encryption-required'): void {
    // Counts as an element only, of which there are few before a resource is bound.
    if (negotiation.elements < this.#hub.config.limits.preAuthElementsMax) {
      connection.sendControl(`<failure xmlns='${NS_SASL}'><${condition}/></failure>`)
    } else {
      connection.fail({ condition: 'policy-violation' })
    }
  }

  #answer(connection: Connection, negotiation: Negotiation, reply: SaslReply | undefined): void {
    if (reply === undefined) return
    if (reply.kind === 'challenge') {
      connection.sendControl(payloadElement('challenge', reply.payload))
      return
    }
    if (reply.kind === 'failure') {
      noteFailure(this.#hub, connection, reply)
      const text = reply.text === undefined ? '' : `<text xml:lang='en'>${escapeText(reply.text)}</text>`
      connection.sendControl(`<failure xmlns='${NS_SASL}'><${reply.condition}/>${text}</failure>`)
      // RFC 6120 §6.4.5
      if (negotiation.sasl?.isExhausted === true) connection.fail({ condition: 'policy-violation', text: 'too many attempts' })
      return
    }
    this.#hub.metrics.auth('success')
    negotiation.account = reply.account
    negotiation.isAnonymous = reply.isAnonymous
    negotiation.closeLogin()
    connection.sendControl(payloadElement('success', reply.payload))
    connection.restart()
    handOn(this.#hub, connection)
  }

  // ------------------------------------------------------------------------------------ iq before a session

  #preAuthIq(connection: Connection, frame: Frame): void {
    const stanza = this.#stanzas.readIq(connection, frame)
    const { host, address } = connection
    if (stanza === undefined || host === undefined) return
    const request = this.#hub.request(host, { kind: 'pre-auth-iq', host: host.domainpart, address, stanza })
    holdUntil(this.#hub, connection, request, (wire) => connection.sendStanza(wire as string))
  }

  #beforeBind(connection: Connection, negotiation: Negotiation, frame: Frame): void {
    if (frame.ns === NS_SM) {
      this.#manageBeforeBind(connection, negotiation, frame)
      return
    }
    const child = frame.findChild('bind', NS_BIND)
    if (stanzaKind(frame, NS_CLIENT) !== 'iq' || child < 0) {
      // RFC 6120 §7.3.1: nothing else before a resource is bound.
      connection.fail({ condition: 'not-authorized', text: 'bind a resource first' })
      return
    }
    const stanza = this.#stanzas.readIq(connection, frame)
    if (stanza === undefined || negotiation.account === undefined) return
    if (stanza.type !== 'set') {
      this.#stanzas.refuse(connection, stanza, new StanzaError('bad-request'))
      return
    }
    const resource = frame.childElement(child).childText('resource') ?? ''
    const { account, isAnonymous } = negotiation
    const { transport, address, isSecure } = connection
    const request = this.#hub.request(account, {
      kind: 'bind', account, resourcepart: resource, conn: connection.id, isAnonymous, origin: { transport, address, isSecure },
    })
    const undo = this.#undoing(connection, account)
    const bound = sessionOrUndo<BindReply>(connection, request, (reply) => reply.isBound, undo)
    holdUntil(this.#hub, connection, bound, (reply) => this.#bound(connection, stanza, reply))
  }

  /** Whether or not the core's answer arrives, and whether or not the client still is there: no session may stay behind. */
  #undoing(connection: Connection, account: Jid): () => void {
    return () => this.#hub.undoSession(connection, account, 'lost')
  }

  #bound(connection: Connection, request: Stanza, reply: BindReply): void {
    if (!reply.isBound) {
      this.#stanzas.refuse(connection, request, new StanzaError(reply.condition, reply.text))
      return
    }
    const id = escapeAttribute(request.id)
    startStanzas(this.#hub, connection, reply.jid, `<iq type='result' id='${id}'><bind xmlns='${NS_BIND}'><jid>${reply.jid.wire}</jid></bind></iq>`)
  }

  // ------------------------------------------------------------------------------------ resumption (XEP-0198)

  /** §3, §5: before a resource is bound an earlier stream can be resumed, and nothing else. */
  #manageBeforeBind(connection: Connection, { account }: Negotiation, frame: Frame): void {
    const wish = frame.name === 'resume' && connection.transport !== 'bosh' ? readResume(frame) : undefined
    if (wish === undefined || account === undefined) {
      connection.sendControl(SM_FAILED)
      return
    }
    const { transport, address, isSecure } = connection
    const request = this.#hub.request(account, {
      kind: 'resume', account, previousId: wish.previousId, handled: wish.handled, conn: connection.id,
      origin: { transport, address, isSecure },
    })
    const undo = this.#undoing(connection, account)
    const resumed = sessionOrUndo<ResumeReply>(connection, request, (reply) => reply.isResumed, undo)
    holdUntil(this.#hub, connection, resumed, (reply) => this.#resumed(connection, reply))
  }

  #resumed(connection: Connection, reply: ResumeReply): void {
    if (reply.isResumed) {
      connection.isManaged = true
      connection.isResumed = true
      startStanzas(this.#hub, connection, reply.jid, reply.wire)
    } else if ('wire' in reply) connection.sendControl(reply.wire)
    else connection.fail(faultOf(reply.fault) ?? { condition: 'undefined-condition' })
  }
}

function payloadElement(name: string, payload: string): string {
  return payload === '' ? `<${name} xmlns='${NS_SASL}'/>` : `<${name} xmlns='${NS_SASL}'>${payload}</${name}>`
}

/** A request to resume, or undefined when it is none. */
function readResume(frame: Frame): SmResume | undefined {
  try {
    return SmResume.decode(frame.toElement())
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

function isPreAuthIq(frame: Frame): boolean {
  return stanzaKind(frame, NS_CLIENT) === 'iq' && frame.childCount > 0 && frame.childNs(0) === NS_REGISTER
}
