/** What registration does, for those who have no account yet and for those who have one. */
import type { AccountAdmin, PreAuthIq, Session } from '@rollcall/module-api'
import { isMixedScript, JidError, jidOf, skeleton } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import type { CounterMetric, Log, Metrics } from '@rollcall/ports'
import { RegisterQuery } from '@rollcall/protocol'
import { iqResult, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'
import { blankFields, readFields } from './fields.ts'
import type { LookAlikes } from './look-alikes.ts'
import type { RegistrationRate } from './rate-limit.ts'

const NS_OOB = 'jabber:x:oob'

export interface RegistrationOptions {
  readonly isOpen: boolean
  readonly instructions: string
  /** '' for none. */
  readonly redirectUrl: string
  readonly areLookAlikesRefused: boolean
  readonly reservedLocalparts: readonly string[]
  readonly isPasswordChangeAllowed: boolean
  readonly isRemovalAllowed: boolean
}

export interface RegistrationPorts {
  readonly admin: AccountAdmin
  readonly log: Log
  readonly metrics: Metrics
  readonly rate: RegistrationRate
  readonly lookAlikes: LookAlikes
  readonly options: RegistrationOptions
}

/** A request of somebody who is logged in to the host. */
export interface OwnRequest {
  readonly payload: RegisterQuery
  readonly stanza: Stanza
  readonly session: Session
}

export class RegistrationService {
  readonly #ports: RegistrationPorts
  readonly #reserved: ReadonlySet<string>
  readonly #registered: CounterMetric
  readonly #refused: CounterMetric

  constructor(ports: RegistrationPorts) {
    this.#ports = ports
    this.#reserved = new Set(ports.options.reservedLocalparts.map((name) => this.#comparable(name)))
    this.#registered = ports.metrics.counter('rollcall_registrations_total', 'Accounts made by in-band registration.')
    this.#refused = ports.metrics.counter('rollcall_registrations_limited_total', 'In-band registrations refused by the limits on their rate.')
  }

  /** §3.1: what is needed; §5: or where to go instead. */
  fields(): XmlElement {
    const { isOpen, instructions, redirectUrl } = this.#ports.options
    if (isOpen) return RegisterQuery.encode(blankFields(instructions))
    if (redirectUrl === '') throw new StanzaError('service-unavailable')
    const query = RegisterQuery.encode({ instructions: `To register, visit ${redirectUrl}` })
    query.children.push(new XmlElement('x', NS_OOB, {}, [new XmlElement('url', NS_OOB, {}, [redirectUrl])]))
    return query
  }

  /** §3.1: makes an account for a client that has none. */
  async register({ payload, host, address }: PreAuthIq<RegisterQuery>): Promise<void> {
    const { admin, log, rate, options } = this.#ports
    if (!options.isOpen) throw new StanzaError('service-unavailable')
    // §3.2: there is nothing yet that could be removed.
    if (payload.remove) throw new StanzaError('unexpected-request')
    const { username, password } = readFields(payload)
    if (username === undefined || password === undefined) throw new StanzaError('not-acceptable', 'A name and a password are needed')
    const jid = this.#accountOf(username, host)
    if (!rate.admit(address)) {
      this.#refused.add(1)
      throw new StanzaError('not-acceptable', 'Too many registrations, try again later', { type: 'wait' })
    }
    try {
      await this.#create(jid, () => admin.create(jid, password))
    } catch (error) {
      rate.giveBack()
      throw error
    }
    this.#registered.add(1)
    log.info('account-registered', { account: jid.toString(), address })
  }

  /** §3.1: what is on file, without the password. */
  registration(session: Session): XmlElement {
    const username = session.account.jid.localpart
    return RegisterQuery.encode({ registered: true, instructions: 'You have an account; you may change its password', username, password: '' })
  }

  /** §3.2 or §3.3: removes the account, or changes its password. */
  change(request: OwnRequest): Promise<void> {
    return request.payload.remove ? this.#remove(request) : this.#changePassword(request)
  }

  async #create(jid: Jid, create: () => Promise<void>): Promise<void> {
    if (!this.#ports.options.areLookAlikesRefused) return create()
    const isMade = await this.#ports.lookAlikes.unlessTaken(jid, create)
    if (!isMade) throw new StanzaError('conflict', 'This name looks like that of another account')
  }

  async #remove({ stanza, session }: OwnRequest): Promise<void> {
    const { admin, log, options } = this.#ports
    if (!options.isRemovalAllowed) throw new StanzaError('not-allowed')
    if (!isAlone(stanza)) throw new StanzaError('bad-request', '<remove/> must stand alone')
    const account = session.account.jid
    // The removal ends the stream, so the answer goes first.
    session.send(iqResult(stanza))
    try {
      await admin.remove(account)
      log.info('account-removed', { account: account.toString(), by: session.jid.toString() })
    } catch (error) {
      // The answer cannot be taken back; whoever logs in again finds the account and may try again.
      log.error('account-removal-failed', { account: account.toString(), error })
      session.close('internal-server-error', 'The account could not be removed')
    }
  }

  async #changePassword({ payload, session }: OwnRequest): Promise<void> {
    const { admin, log, options } = this.#ports
    if (!options.isPasswordChangeAllowed) throw new StanzaError('not-allowed')
    if (!session.origin.isSecure) throw new StanzaError('not-authorized', 'Passwords are changed over encrypted connections only', { type: 'modify' })
    const { username, password } = readFields(payload)
    if (username === undefined || password === undefined) throw new StanzaError('bad-request', 'Name and new password are needed')
    const account = session.account.jid
    if (!isLocalpartOf(username, account)) throw new StanzaError('bad-request', 'This is not the name of your account')
    await admin.setPassword(account, password)
    log.info('password-changed', { account: account.toString(), by: session.jid.toString() })
  }

  #accountOf(username: string, host: string): Jid {
    let jid: Jid
    try {
      jid = jidOf(username, host)
    } catch (error) {
      if (error instanceof JidError) throw new StanzaError('not-acceptable', `This name cannot be used: ${error.message}`)
      throw error
    }
    if (this.#reserved.has(this.#comparable(jid.localpart))) throw new StanzaError('not-acceptable', 'This name is reserved')
    if (this.#ports.options.areLookAlikesRefused && isMixedScript(jid.localpart)) {
      throw new StanzaError('not-acceptable', 'A name is written in one script')
    }
    return jid
  }

  #comparable(localpart: string): string {
    return this.#ports.options.areLookAlikesRefused ? skeleton(localpart) : localpart.toLowerCase()
  }
}

/** Whether the query has one child alone. */
function isAlone(stanza: Stanza): boolean {
  const child = stanza.find(RegisterQuery.name, RegisterQuery.ns)
  return child !== undefined && stanza.element(child).elements().length === 1
}

/** Clients send the localpart, some the whole address. */
function isLocalpartOf(username: string, account: Jid): boolean {
  if (username === account.toString()) return true
  try {
    return jidOf(username, account.domainpart).equals(account)
  } catch (error) {
    if (error instanceof JidError) return false
    throw error
  }
}
