/**
 * A component's stream (XEP-0114 "accept"): header, handshake, then stanzas from any address of its domain.
 *
 * Its content namespace is `jabber:component:accept`; children in it become `jabber:client` as they enter, and what is
 * delivered takes on the component's namespace by standing in its stream.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { JidError, parseJidWire, tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { errorReply, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Frame, StreamHeader } from '@rollcall/xml'
import type { Connection, StreamService } from './connection.ts'
import type { Hub } from './hub.ts'
import { HOLD_BUSY } from './stages.ts'
import { readStanza, stanzaKind } from './stanza-in.ts'
import { NS_COMPONENT, NS_STREAM } from './stream-wire.ts'

export class ComponentStream implements StreamService {
  readonly contentNs = NS_COMPONENT
  /** One component speaks for many users. */
  readonly isShared = false
  readonly #hub: Hub

  constructor(hub: Hub) {
    this.#hub = hub
  }

  outputBytesMax(): number {
    return this.#hub.config.limits.componentOutputBytesMax
  }

  header(connection: Connection, header: StreamHeader): void {
    if (header.ns !== NS_STREAM || header.defaultNs !== NS_COMPONENT) {
      connection.fail({ condition: 'invalid-namespace', text: `this port is for ${NS_COMPONENT}` })
      return
    }
    if (header.name !== 'stream') {
      connection.fail({ condition: 'bad-format' })
      return
    }
    const domain = tryParseJid(header.attributes.get('to') ?? '')
    if (domain === undefined || !domain.isDomain) {
      connection.fail({ condition: 'improper-addressing', text: 'to must be the domain of the component' })
      return
    }
    if (this.#hub.isDraining) {
      connection.fail({ condition: 'system-shutdown' })
      return
    }
    // Unknown domains get this far too: which exist is told only to who knows a secret.
    connection.host = domain
    connection.open()
    connection.stage = 'negotiating'
  }

  /** Components come over TCP only. */
  opening(connection: Connection): void {
    connection.fail({ condition: 'unsupported-feature' })
  }

  element(connection: Connection, frame: Frame): void {
    if (connection.stage === 'bound') this.#stanza(connection, frame)
    else if (connection.stage !== 'negotiating' || frame.ns !== NS_COMPONENT || frame.name !== 'handshake') {
      connection.fail({ condition: 'not-authorized', text: 'handshake first' })
    } else this.#handshake(connection, frame.text())
  }

  #handshake(connection: Connection, proof: string): void {
    const { guard, nowMs, ports, config, metrics } = this.#hub
    const domain = connection.host
    if (domain === undefined) return
    const component = config.components.find((one) => tryParseJid(one.domain)?.equals(domain) === true)
    const isLocked = guard.authWaitMs(connection.address, nowMs) > 0
    if (isLocked || !isProof(proof, connection.streamId, component?.secret)) {
      metrics.auth('component-refused')
      guard.authFailed(connection.address, ports.clock.monotonic())
      connection.fail({ condition: 'not-authorized' })
      return
    }
    connection.hold(HOLD_BUSY)
    this.#register(connection, domain).catch((error: unknown) => {
      ports.log.warn('component-registration-failed', { domain: domain.toString(), error })
      connection.fail({ condition: 'resource-constraint' })
    }).finally(() => connection.release(HOLD_BUSY))
  }

  async #register(connection: Connection, domain: Jid): Promise<void> {
    const { ports, metrics } = this.#hub
    // Every member knows all components; who may have the domain its owner says.
    const core = ports.bus.memberId
    const undo = () => this.#hub.send(core, { kind: 'component-closed', conn: connection.id })
    let reply: { readonly isAccepted: boolean }
    try {
      reply = await this.#hub.request(domain, {
        kind: 'register-component', domain: domain.domainpart, conn: connection.id,
      }) as { readonly isAccepted: boolean }
    } catch (error) {
      undo()
      throw error
    }
    if (!connection.isOpen) {
      if (reply.isAccepted) undo()
      return
    }
    if (!reply.isAccepted) {
      connection.fail({ condition: 'conflict', text: 'the domain is taken' })
      return
    }
    metrics.auth('component-success')
    connection.becomeBound(domain, core, this.#hub.componentLimits, '<handshake/>')
    ports.log.info('component-connected', { domain: domain.toString(), address: connection.address })
  }

  #stanza(connection: Connection, frame: Frame): void {
    const kind = stanzaKind(frame, NS_COMPONENT)
    const domain = connection.jid
    if (kind === undefined || domain === undefined) {
      connection.refuseElement(frame, 'unsupported-stanza-type')
      return
    }
    const from = readAddress(frame, 'from')
    if (from === undefined || from === 'malformed') {
      connection.fail({ condition: 'improper-addressing', text: 'every stanza of a component needs a from' })
      return
    }
    if (from.domainpart !== domain.domainpart) {
      connection.fail({ condition: 'invalid-from' })
      return
    }
    const to = readAddress(frame, 'to')
    const isAddressed = to !== undefined && to !== 'malformed'
    const stanza = readStanza(frame, kind, from, isAddressed ? to : undefined, '')
    const { type, id } = stanza
    if (!isAddressed) {
      this.#refuse(connection, stanza, new StanzaError(to === undefined ? 'bad-request' : 'jid-malformed'))
    } else if (kind === 'iq' && (id === '' || !/^(?:get|set|result|error)$/.test(type))) {
      this.#refuse(connection, stanza, new StanzaError('bad-request'))
    } else {
      this.#hub.metrics.stanzasIn.add(1)
      this.#hub.send(connection.core, { kind: 'component-stanza', conn: connection.id, stanza })
    }
  }

  #refuse(connection: Connection, stanza: Stanza, error: StanzaError): void {
    this.#hub.metrics.stanzasRefused.add(1)
    const reply = errorReply(stanza, error)
    if (reply !== undefined) connection.sendStanza(reply.addressed(connection.jid, stanza.from).toWire())
  }

  gone(connection: Connection): void {
    this.#hub.ports.log.info('component-gone', { domain: connection.jid?.toString() })
    this.#hub.send(connection.core, { kind: 'component-closed', conn: connection.id })
  }

  /** A component need not understand pings; white space tells a dead link from a silent one soon enough. */
  probe(connection: Connection): void {
    connection.probedMs = 0
    connection.sendControl(' ')
  }
}

/** XEP-0114 §3: the SHA-1 of stream id and secret in hexadecimal; compared in constant time, known domain or not. */
function isProof(proof: string, streamId: string, secret: string | undefined): boolean {
  const expected = createHash('sha1').update(streamId).update(secret ?? '').digest()
  const given = /^[0-9a-fA-F]{40}$/.test(proof.trim()) ? Buffer.from(proof.trim(), 'hex') : Buffer.alloc(expected.length)
  return timingSafeEqual(expected, given) && secret !== undefined && secret !== ''
}

function readAddress(frame: Frame, name: 'from' | 'to'): Jid | undefined | 'malformed' {
  const wire = frame.attributeWire(name)
  if (wire === undefined) return undefined
  try {
    return parseJidWire(wire)
  } catch (error) {
    if (error instanceof JidError) return 'malformed'
    throw error
  }
}
