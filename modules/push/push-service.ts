/** What clients ask for, and what happens to their accounts, turned into registrations and notifications. */
import type { Account, Accounts, Session } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import type { Log, MapStore } from '@rollcall/ports'
import { FORM_PUBLISH_OPTIONS, formTypeOf, NS_PUBSUB } from '@rollcall/protocol'
import type { DataForm, PushDisable, PushEnable } from '@rollcall/protocol'
import { StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Notifier } from './notifier.ts'
import type { Reach } from './reach.ts'
import { keyOf, Registration } from './registrations.ts'
import type { OptionField, RegistrationRow, Registrations } from './registrations.ts'
import { excerptOf, isCall, isRedelivered, isWorthTelling } from './worth.ts'

export interface PushServicePorts {
  readonly accounts: Accounts
  readonly log: Log
  readonly now: () => number
  readonly store: MapStore<RegistrationRow>
  readonly registrationsOf: (account: Account) => Registrations
  readonly reach: Reach
  readonly notifier: Notifier
  readonly limits: { readonly registrationsMax: number; readonly optionBytesMax: number }
  /** What is told of the last message. */
  readonly content: 'none' | 'sender' | 'message'
  readonly excerptCharactersMax: number
}

export class PushService {
  readonly #ports: PushServicePorts

  constructor(ports: PushServicePorts) {
    this.#ports = ports
  }

  // ------------------------------------------------------------------------------------ requests of clients

  /** §5. The last request for a node counts. */
  async enable(account: Account, session: Session, { jid, node = '', options }: PushEnable): Promise<void> {
    const { limits, notifier, now, registrationsOf, store } = this.#ports
    const registrations = registrationsOf(account)
    const before = registrations.get(keyOf(jid, node))
    if (before === undefined && registrations.size >= limits.registrationsMax) {
      throw new StanzaError('resource-constraint', `An account has at most ${limits.registrationsMax} push registrations`)
    }
    const registration = new Registration({
      jid: jid.toString(), node, options: optionsOf(options), at: now(),
      resource: session.jid.resourcepart, client: session.origin.clientId ?? '',
    })
    if (JSON.stringify(registration.row).length > limits.optionBytesMax) {
      throw new StanzaError('not-acceptable', `A push registration takes at most ${limits.optionBytesMax} bytes`)
    }
    registrations.put(registration)
    try {
      await store.set(account.jid.toString(), registration.key, registration.row)
    } catch (error) {
      if (registrations.remove(registration) && before !== undefined) registrations.put(before)
      throw error
    }
    notifier.isBack(account.jid, registration)
  }

  /** §6. What is not enabled is disabled without a word. */
  async disable(account: Account, { jid, node }: PushDisable): Promise<void> {
    await Promise.all(this.#ports.registrationsOf(account).of(jid, node).map((registration) => this.#remove(account, registration)))
  }

  /** §8: a service says that it takes no more for a node. False when the message is something else. */
  isRevocation(account: Account, message: Stanza): boolean {
    const { from } = message
    const registrations = this.#ports.registrationsOf(account)
    const child = registrations.size === 0 || from === undefined ? undefined : message.find('pubsub', NS_PUBSUB)
    if (child === undefined || from === undefined) return false
    const pubsub = message.element(child)
    const isNone = pubsub.elements('affiliation').some((one) =>
      one.attribute('affiliation') === 'none' && one.attribute('jid') === account.jid.toString())
    const ended = isNone ? registrations.of(from, pubsub.attribute('node') ?? '') : []
    for (const registration of ended) this.#drop(account, registration)
    return ended.length > 0
  }

  /** The service refuses: the registration ends, wherever its account is. */
  giveUp(jid: Jid, registration: Registration): void {
    const { accounts, log } = this.#ports
    accounts.use(jid, (account) => this.#drop(account, registration))
      .catch((error: unknown) => log.error('push-registration-kept', { account: jid.toString(), error }))
  }

  // ------------------------------------------------------------------------------------ what happens

  delivered(account: Account, message: Stanza, recipients: readonly Session[]): void {
    const { reach, registrationsOf } = this.#ports
    const registrations = registrationsOf(account)
    if (registrations.size === 0 || !isWorthTelling(account, message)) return
    for (const session of recipients) reach.given(session, message)
    // All who are away were told when it came first.
    if (isRedelivered(account, message)) return
    for (const registration of registrations.all()) {
      if (!reach.isThere(account, registration)) this.#tell(account, registration, [message])
    }
  }

  confirmed(session: Session, message: Stanza): void {
    this.#ports.reach.confirmed(session, message)
  }

  /** A session lost its connection or ended: what its client did not confirm, it has not seen. */
  lost(session: Session): void {
    const { reach, registrationsOf } = this.#ports
    const { account } = session
    const registrations = registrationsOf(account)
    if (registrations.size === 0) return
    const messages = reach.lose(session)
    if (messages.length === 0) return
    for (const registration of registrations.all()) {
      if (registration.isOf(session) && !reach.isThere(account, registration)) this.#tell(account, registration, messages)
    }
  }

  /** A client is connected, again or anew. */
  isBack(session: Session): void {
    const { notifier, reach, registrationsOf } = this.#ports
    const registrations = registrationsOf(session.account)
    if (registrations.size === 0) return
    reach.isBack(session)
    for (const registration of registrations.all()) if (registration.isOf(session)) notifier.isBack(session.account.jid, registration)
  }

  /** Somebody asks to see the account's presence, and the request waits. */
  asked(account: Account, requester: Jid): void {
    const { notifier, reach, registrationsOf } = this.#ports
    const news = { messages: 0, requester: requester.bare, isUrgent: false }
    for (const registration of registrationsOf(account).all()) {
      if (!reach.isThere(account, registration)) notifier.tell(account, registration, news)
    }
  }

  /** The account is about to go, and its rows in storage with it. */
  removing(account: Account): void {
    for (const registration of this.#ports.registrationsOf(account).all()) this.#ports.notifier.forget(account.jid, registration)
  }

  #tell(account: Account, registration: Registration, messages: readonly Stanza[]): void {
    const { content, excerptCharactersMax, notifier } = this.#ports
    const last = messages.at(-1)
    if (last === undefined) return
    notifier.tell(account, registration, {
      messages: messages.length,
      ...(content === 'none' || last.from === undefined ? {} : { sender: last.from }),
      ...(content === 'message' ? { body: excerptOf(last, excerptCharactersMax) } : {}),
      isUrgent: messages.some(isCall),
    })
  }

  #drop(account: Account, registration: Registration): void {
    this.#remove(account, registration).catch((error: unknown) => {
      // It stays in storage and is tried again when the account is next loaded.
      this.#ports.log.error('push-registration-kept', { account: account.jid.toString(), error })
    })
  }

  async #remove(account: Account, registration: Registration): Promise<void> {
    const { notifier, registrationsOf, store } = this.#ports
    if (!registrationsOf(account).remove(registration)) return
    notifier.forget(account.jid, registration)
    await store.delete(account.jid.toString(), registration.key)
  }
}

/** The fields to be sent with every notification; throws `bad-request` for another kind of form. */
function optionsOf(form: DataForm | undefined): OptionField[] {
  if (form === undefined) return []
  if (form.type !== 'submit' || formTypeOf(form) !== FORM_PUBLISH_OPTIONS) {
    throw new StanzaError('bad-request', `The form must be of FORM_TYPE ${FORM_PUBLISH_OPTIONS}`)
  }
  return form.fields.flatMap(({ var: name, values }) => (name === undefined || name === 'FORM_TYPE' ? [] : [{ var: name, values }]))
}
