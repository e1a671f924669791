/** A host's own address as an entity (RFC 6120 §10.5.1, RFC 6121 §8.5.0): iq requests by scope `host`, little else. */
import { StanzaError, messageType } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Jid } from '@rollcall/jid'
import type { IqDispatch } from './iq-dispatch.ts'
import type { PendingRequests } from './iq-client.ts'

export interface HostEntityPorts {
  readonly iqs: IqDispatch
  readonly requests: PendingRequests
  readonly reply: (stanza: Stanza) => void
  readonly bounce: (stanza: Stanza, error: StanzaError) => void
}

export class HostEntity {
  readonly #ports: HostEntityPorts

  constructor(ports: HostEntityPorts) {
    this.#ports = ports
  }

  /** Handles a stanza whose `to` is a host, with or without resourcepart. */
  receive(stanza: Stanza): void {
    if (stanza.kind === 'iq') return this.#iq(stanza)
    const type = messageType(stanza)
    // Presence to a host has no meaning; a message to nobody is refused so that the sender knows.
    if (stanza.kind === 'message' && type !== 'error' && type !== 'headline') {
      this.#ports.bounce(stanza, new StanzaError('service-unavailable'))
    }
  }

  #iq(stanza: Stanza): void {
    const to = stanza.to as Jid
    if (stanza.type !== 'get' && stanza.type !== 'set') {
      this.#ports.requests.settle(stanza)
    } else if (to.isFull) {
      this.#ports.bounce(stanza, new StanzaError('service-unavailable'))
    } else {
      this.#ports.iqs.answer('host', { stanza, from: stanza.from as Jid, to, session: undefined }, this.#ports.reply)
    }
  }
}
