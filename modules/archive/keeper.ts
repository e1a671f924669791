/** Decides about every message of an account: which log entries it makes, and under which id the account sees it. */
import type { AcceptedMessage, Account, SubmittedMessage } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Roster } from '../roster/port.ts'
import type { AccountLog } from './account-log.ts'
import type { Delivery } from './delivery.ts'
import type { MessageLog } from './message-log.ts'
import { withoutForgedIds, withStanzaId } from './stanza-ids.ts'
import { sizeOf } from './stored-message.ts'
import { worthOf } from './worth.ts'

export interface KeeperPorts {
  readonly messages: MessageLog
  readonly delivery: Delivery
  readonly roster: Roster | undefined
  readonly logOf: (account: Account) => AccountLog
  readonly limits: { readonly waitingMessagesMax: number; readonly waitingBytesMax: number }
}

export class Keeper {
  readonly #ports: KeeperPorts

  constructor(ports: KeeperPorts) {
    this.#ports = ports
  }

  /** A message that the account received, before it is handed over; gives it back with its id. */
  accept({ account, stanza, recipients, waitFor }: AcceptedMessage): Stanza | undefined {
    const message = withoutForgedIds(stanza, account.jid)
    const worth = worthOf(message)
    if (worth === 'refused' || worth === 'ephemeral') return message === stanza ? undefined : message
    const log = this.#ports.logOf(account)
    if (recipients.length === 0) this.#checkRoom(log, message)
    const appended = this.#ports.messages.receive(log, message, worth === 'archived' && this.#isWanted(account, log, message.from))
    waitFor(appended.committed)
    const kept = appended.archiveId === undefined ? message : withStanzaId(message, account.jid, appended.archiveId)
    if (recipients.length > 0) this.#ports.delivery.give(log, appended, kept)
    else this.#ports.delivery.keep(appended, kept)
    return kept
  }

  /** A message that the account sends; gives it back as its other clients see it. What is routed has no such id. */
  submit({ session: { account }, stanza, waitFor }: SubmittedMessage): Stanza | undefined {
    // What it sends to itself it receives: one entry is enough (XEP-0313 §6.1.1).
    if (stanza.to?.bareEquals(account.jid) === true || worthOf(stanza) !== 'archived') return undefined
    const log = this.#ports.logOf(account)
    if (!this.#isWanted(account, log, stanza.to)) return undefined
    const { id, committed } = this.#ports.messages.send(log, stanza)
    waitFor(committed)
    return withStanzaId(stanza, account.jid, id)
  }

  #checkRoom(log: AccountLog, message: Stanza): void {
    const { waiting, waitingBytes } = log.position
    const { waitingMessagesMax, waitingBytesMax } = this.#ports.limits
    // XEP-0160 §2, step 3: the same as without any storage.
    if (waiting >= waitingMessagesMax || waitingBytes + sizeOf(message) > waitingBytesMax) throw new StanzaError('service-unavailable')
  }

  #isWanted(account: Account, log: AccountLog, peer: Jid | undefined): boolean {
    if (peer === undefined) return true
    const isContact = (contact: Jid) => contact.bareEquals(account.jid) || this.#ports.roster?.isContact(account, contact) === true
    return log.preferences.wants(peer, isContact)
  }
}
