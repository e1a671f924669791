/**
 * A client's stream (RFC 6120 §4): headers, what is offered, and to whom elements go by `Connection.stage`: before a session
 * `client-login.ts`, after it `client-stanzas.ts`.
 *
 * One object serves all clients. While an answer of the core is awaited the connection is held (`HOLD_BUSY`), so that
 * elements are handled strictly one after the other whatever the client pipelines.
 */
import type { Jid } from '@rollcall/jid'
import { NS_CLIENT } from '@rollcall/stanza'
import type { Sasl2Granted, TokenContext } from '@rollcall/stream'
import type { Frame, StreamHeader } from '@rollcall/xml'
import type { HostInfo } from '../protocol/messages.ts'
import { isLoopback } from './address-guard.ts'
import { isSecured, isUpgradable } from './capabilities.ts'
import type { Secured } from './capabilities.ts'
import { ClientLogin } from './client-login.ts'
import { ClientStanzas } from './client-stanzas.ts'
import type { Connection, StreamService } from './connection.ts'
import { BusCredentials } from './credentials.ts'
import { boundFeatures, tlsFeature } from './features.ts'
import { checkHeaderNames, checkOpening, openingOf } from './header-rules.ts'
import type { CheckedOpening, Opening } from './header-rules.ts'
import type { Hub } from './hub.ts'
import type { Negotiation } from './negotiation.ts'
import { Offers } from './offers.ts'
import { holdUntil } from './stream-steps.ts'
import { NS_SM } from './stream-wire.ts'

const NO_BINDINGS: ReadonlyMap<string, Uint8Array> = new Map()

export class ClientStream implements StreamService {
  readonly contentNs = NS_CLIENT
  readonly isShared = true
  readonly #hub: Hub
  readonly #stanzas: ClientStanzas
  readonly #login: ClientLogin
  readonly #offers = new Offers()

  constructor(hub: Hub) {
    this.#hub = hub
    this.#stanzas = new ClientStanzas(hub)
    this.#login = new ClientLogin(hub, this.#stanzas)
  }

  outputBytesMax(): number {
    return this.#hub.config.limits.outputBytesMax
  }

  /** See `ClientLogin`. */
  finishSasl2(connection: Connection, negotiation: Negotiation, granted: Sasl2Granted): Promise<void> {
    return this.#login.finishSasl2(connection, negotiation, granted)
  }

  // ------------------------------------------------------------------------------------ header

  header(connection: Connection, header: StreamHeader): void {
    const opening = openingOf(header.attributes)
    const fault = checkHeaderNames(header, NS_CLIENT)
    if (fault === undefined) this.opening(connection, opening)
    else connection.fail(fault)
  }

  opening(connection: Connection, opening: Opening): void {
    if (connection.stage !== 'header') {
      connection.fail({ condition: 'bad-format', text: 'a second stream header' })
      return
    }
    const verdict = checkOpening(opening)
    if (verdict.fault !== undefined) {
      connection.fail(verdict.fault)
      return
    }
    if (this.#hub.isDraining) {
      connection.fail({ condition: 'system-shutdown' })
      return
    }
    this.#accept(connection, verdict.opening)
  }

  #accept(connection: Connection, opening: CheckedOpening): void {
    const { negotiation } = connection
    if (negotiation === undefined) return
    connection.lang = opening.lang
    connection.peer = opening.from?.toString()
    const claimed = opening.from?.localpart === '' ? undefined : opening.from
    if (claimed !== undefined && !opening.host.equals(claimed.domain)) {
      // XEP-0388 §2.1, RFC 6120 §4.9.3.9
      connection.fail({ condition: 'invalid-from' })
      return
    }
    negotiation.from = claimed
    if (negotiation.account !== undefined) {
      this.#acceptAgain(connection, negotiation, opening)
      return
    }
    const info = this.#hub.hostInfo(opening.host)
    if (!(info instanceof Promise)) {
      this.#acceptHost(connection, negotiation, opening, info)
      return
    }
    holdUntil(this.#hub, connection, info, (known) => this.#acceptHost(connection, negotiation, opening, known))
  }

  /** The header after authentication must not change who is spoken to, nor who speaks. */
  #acceptAgain(connection: Connection, negotiation: Negotiation, { host, from }: CheckedOpening): void {
    if (connection.host === undefined || !connection.host.equals(host)) {
      connection.fail({ condition: 'host-unknown', text: 'authenticated for another host' })
    } else if (from !== undefined && from.localpart !== '' && negotiation.account !== undefined && !from.bareEquals(negotiation.account)) {
      // COMPAT(XML::Stream, that is sendxmpp): it sends the name of its machine, which claims to be nobody.
      connection.fail({ condition: 'invalid-from' })
    } else if (negotiation.hostInfo !== undefined) {
      connection.open()
      connection.stage = 'authenticated'
      connection.sendControl(features(boundFeatures(negotiation.hostInfo, this.#hub.config, connection.transport !== 'bosh')))
    }
  }

  #acceptHost(connection: Connection, negotiation: Negotiation, { host }: CheckedOpening, info: HostInfo | undefined): void {
    if (info === undefined) {
      connection.fail({ condition: 'host-unknown' })
      return
    }
    connection.host = host
    negotiation.hostInfo = info
    connection.open()
    connection.stage = 'negotiating'
    this.#offer(connection, negotiation, host, info)
  }

  #offer(connection: Connection, negotiation: Negotiation, host: Jid, info: HostInfo): void {
    const { config, ports } = this.#hub
    const mayUpgrade = isUpgradable(connection) && connection.mayUpgrade
    if (config.isTlsRequired && !connection.isSecure && (mayUpgrade || !isLoopback(connection.address))) {
      if (mayUpgrade) connection.sendControl(features(tlsFeature(true)))
      else connection.fail({ condition: 'policy-violation', text: 'use TLS' })
      return
    }
    const secured = isSecured(connection) ? connection : undefined
    const context: TokenContext = {
      host: host.domainpart,
      isSecure: connection.isSecure,
      channelBindings: secured?.channelBindings() ?? NO_BINDINGS,
      certificateIdentities: secured?.certificateIdentities() ?? [],
      policy: config.sasl,
      ...tlsVersionOf(secured),
      credentials: new BusCredentials(this.#hub, host, connection.address),
      crypto: ports.crypto,
    }
    const { wire, offer, version } = this.#offers.find(context, info, config, { mayUpgrade, isManageable: connection.transport !== 'bosh' })
    negotiation.context = { ...context, offer }
    negotiation.featuresVersion = version
    connection.sendControl(features(wire))
  }

  // ------------------------------------------------------------------------------------ elements

  element(connection: Connection, frame: Frame): void {
    if (connection.stage === 'bound') {
      this.#stanzas.element(connection, frame)
      return
    }
    const { negotiation } = connection
    if (negotiation === undefined) return
    if (++negotiation.elements > this.#hub.config.limits.preAuthElementsMax) {
      connection.fail({ condition: 'policy-violation', text: 'too many elements before a resource is bound' })
      return
    }
    this.#login.element(connection, negotiation, frame)
  }

  // ------------------------------------------------------------------------------------ the rest

  gone(connection: Connection, reason: 'closed' | 'lost'): void {
    this.#hub.sendFromClient(connection, { kind: 'client-closed', conn: connection.id, reason })
  }

  /** XEP-0199 §4.3 from the host: every client must answer, be it with an error. XEP-0198 §4 says it in less. */
  probe(connection: Connection): void {
    const { jid, host, hub } = connection
    if (jid === undefined || host === undefined) return
    if (connection.isManaged) {
      connection.sendStanza(`<r xmlns='${NS_SM}'/>`)
      return
    }
    const id = `edge-${hub.ports.random.id()}`
    connection.sendStanza(`<iq from='${host.wire}' to='${jid.wire}' type='get' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`)
  }
}

function features(content: string): string {
  return `<stream:features>${content}</stream:features>`
}

function tlsVersionOf(secured: Secured | undefined): { readonly tlsVersion?: string } {
  const version = secured?.tlsVersion()
  return version === undefined ? {} : { tlsVersion: version }
}
