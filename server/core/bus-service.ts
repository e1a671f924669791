/**
 * The core's side of the bus: which message goes where. One function per direction, nothing else.
 */
import { parseJid } from '@rollcall/jid'
import { CodecError, NS_STREAM_MANAGEMENT } from '@rollcall/protocol'
import { errorReply, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { Bus, BusHandler, Log, MemberId } from '@rollcall/ports'
import type { AccountAdmin } from '@rollcall/module-api'
import type { AccountAdminReply, AccountAdminRequest } from '../protocol/member-messages.ts'
import type { BindReply, BindSession, HostInfo, PreAuthIqMessage, ServerMessage } from '../protocol/messages.ts'
import type { BindInline } from './bind-inline.ts'
import type { Binding } from './binding.ts'
import type { ClientInbox } from './client-inbox.ts'
import type { ComponentTable } from './components.ts'
import { resultOf } from './iq-dispatch.ts'
import type { IqDispatch } from './iq-dispatch.ts'
import type { PendingRequests } from './iq-client.ts'
import type { LocalSession } from './entities.ts'
import type { ManagedStream } from './managed-stream.ts'
import type { MemberCore } from './member-core.ts'
import type { MemberQuestions } from './member-questions.ts'
import type { ModuleLoader } from './module-loader.ts'
import type { CoreRouter } from './router.ts'
import type { SessionMirror } from './session-mirror.ts'
import type { StreamManagement } from './stream-management.ts'

/** Answers the messages about credentials (`server/core/auth`). */
export interface AuthResponder {
  /** Undefined when the message is not about authentication. */
  answer(message: ServerMessage): Promise<unknown> | undefined
}

export interface BusServicePorts {
  readonly bus: Bus<ServerMessage>
  readonly admin: AccountAdmin
  readonly requests: PendingRequests
  readonly members: MemberCore
  readonly questions: MemberQuestions
  /** Absent where there is one member. */
  readonly mirror: SessionMirror | undefined
  readonly binding: Binding
  readonly inbox: ClientInbox
  readonly streams: StreamManagement
  readonly router: CoreRouter
  readonly components: ComponentTable
  readonly loader: ModuleLoader
  readonly bindInline: BindInline
  readonly auth: AuthResponder
  readonly hosts: ReadonlySet<string>
  readonly iqs: IqDispatch
  readonly log: Log
}

export interface CoreService extends Pick<BusHandler<ServerMessage>, 'answer'> {
  /** A promise exactly when something durable is under way. */
  receive(from: MemberId, message: ServerMessage): void | Promise<void>
}

export function busService(ports: BusServicePorts): CoreService {
  return {
    receive: (from, message) => receive(ports, from, message),
    answer: (from, message) => answer(ports, from, message),
  }
}

function receive(ports: BusServicePorts, from: MemberId, message: ServerMessage): void | Promise<void> {
  switch (message.kind) {
    case 'client-stanza': {
      const session = ports.binding.sessions.find(from, message.conn)
      if (session === undefined) return unknownSession(ports, from, message.conn)
      if (message.isAgain === true) message.stanza.isAgain = true
      const { management } = session
      const work = management === undefined ? ports.inbox.receive(session, message.stanza) : receiveCounted(ports, session, management, message.stanza)
      ports.mirror?.changed(session, message.stanza)
      return work
    }
    case 'client-nonza': {
      const session = ports.binding.sessions.find(from, message.conn)
      if (session === undefined) return
      ports.streams.receive(session, message.element)
      // `<r/>` and `<a/>` change nothing else, and are many.
      if (message.element.ns === NS_STREAM_MANAGEMENT && message.element.name !== 'enable') ports.mirror?.counted(session)
      else ports.mirror?.changed(session)
      return
    }
    case 'client-answered': {
      const session = ports.binding.sessions.find(from, message.conn)
      session?.management?.count()
      if (message.wire !== '') session?.sendWire(message.wire)
      return
    }
    case 'client-closed': {
      const session = ports.binding.sessions.find(from, message.conn)
      if (session === undefined) return
      if (message.reason === 'lost') ports.streams.lost(session)
      else ports.binding.unbind(session, message.reason)
      return
    }
    case 'component-stanza':
      if (ports.components.isRegistered(from, message.conn)) void ports.router.route(message.stanza)
      return
    case 'component-closed':
      return ports.components.unregister(from, message.conn)
    case 'component-up':
      return ports.components.install(message.domain, message.edge, message.conn)
    case 'component-down':
      return ports.components.remove(message.edge, message.conn)
    case 'route':
      if (message.isAgain === true) message.stanza.isAgain = true
      return ports.router.route(message.stanza)
    case 'iq-answer':
      ports.requests.settle(message.stanza)
      return
    case 'stanzas-safe':
      return ports.members.stanzasSafe(message.session)
    case 'bury':
      return ports.members.bury(message)
    case 'broadcast':
      return ports.router.expand(message.stanza, message.targets)
    case 'presence-states':
      return ports.router.answered(message.to, message)
    default:
      ports.log.warn('bus-message-ignored', { kind: message.kind, from })
  }
}

/** A stanza of a client with stream management; what it sends again after a member died waits its turn (ADR 0019). */
function receiveCounted(
  { inbox }: BusServicePorts, session: LocalSession, management: ManagedStream<LocalSession>, stanza: Stanza,
): void | Promise<void> {
  const { again, inbound, stamps } = management
  const serial = (inbound.handled + 1) >>> 0
  // What came over another member has its stamp.
  if (stamps !== undefined && stanza.kind === 'message' && stanza.stamp === '') stanza.stamp = stamps.of(serial)
  let work: void | Promise<void>
  if (again === undefined) work = inbox.receive(session, stanza)
  else if (again.isOver(serial)) {
    management.again = undefined
    work = inbox.receive(session, stanza)
  } else work = again.take(stanza, serial, () => (session.isEnded ? undefined : inbox.receive(session, stanza)))
  management.count(work)
  return work
}

/** It was ended here while the stanza was on its way; or it was lost when two members died at once. */
function unknownSession({ bus, mirror }: BusServicePorts, edge: MemberId, conn: number): void {
  if (mirror !== undefined) bus.send(edge, { kind: 'close-stream', conn, condition: 'reset', text: 'The session is lost' })
}

function answer(ports: BusServicePorts, from: MemberId, message: ServerMessage): Promise<unknown> {
  switch (message.kind) {
    case 'host-info':
      return Promise.resolve(hostInfo(ports, message.host))
    case 'resume':
      return ports.streams.resume(from, message)
    case 'bind':
      return bind(ports, from, message)
    case 'account-admin':
      return administer(ports.admin, message)
    case 'module-question':
      return ports.questions.answer(message)
    case 'register-component':
      return Promise.resolve({ isAccepted: !ports.hosts.has(message.domain) && ports.components.register(message.domain, from, message.conn) })
    case 'pre-auth-iq':
      return preAuthIq(ports, message)
    default: {
      const reply = ports.auth.answer(message)
      if (reply === undefined) throw new Error(`No answer to a bus request '${message.kind}'`)
      return reply
    }
  }
}

function bind({ binding, mirror }: BusServicePorts, from: MemberId, message: BindSession): Promise<BindReply> {
  const bound = binding.bind(from, message)
  if (mirror === undefined) return bound
  return bound.then((reply) => {
    // What Bind 2 turned on is known where the session is mirrored before the client can use it.
    const session = binding.sessions.find(from, message.conn)
    if (session?.management !== undefined) mirror.begun(session)
    if (session !== undefined) mirror.tell(session)
    return reply
  })
}

/** For another member; errors travel as data. */
async function administer(admin: AccountAdmin, request: AccountAdminRequest): Promise<AccountAdminReply> {
  const { isDisabled = false, operation, password = '' } = request
  const account = parseJid(request.account)
  try {
    if (operation === 'create') await admin.create(account, password)
    else if (operation === 'remove') await admin.remove(account)
    else if (operation === 'setPassword') await admin.setPassword(account, password)
    else await admin.setDisabled(account, isDisabled)
    return { isDone: true }
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error
    return { isDone: false, condition: error.condition, text: error.text ?? '' }
  }
}

function hostInfo(ports: BusServicePorts, host: string): HostInfo | undefined {
  if (!ports.hosts.has(host)) return undefined
  return {
    featuresBeforeAuth: ports.loader.streamFeatures('before-auth', host),
    featuresAfterAuth: ports.loader.streamFeatures('after-auth', host),
    bind2Features: ports.bindInline.features,
  }
}

/** The wire string of the reply to an iq of a client that has not authenticated. */
async function preAuthIq(ports: BusServicePorts, message: PreAuthIqMessage): Promise<string> {
  const { stanza, host, address } = message
  try {
    const child = stanza.children[0]
    const registration = child === undefined ? undefined : ports.loader.preAuthHandler(stanza.type, child.ns, child.name)
    if (registration === undefined) throw new StanzaError('not-authorized')
    ports.iqs.checkCost(child?.ns)
    const payload = stanza.decode(registration.codec)
    return resultOf(stanza, await registration.handle({ payload: payload as never, stanza, host, address })).toWire()
  } catch (error) {
    return refusal(ports, stanza, error).toWire()
  }
}

function refusal(ports: BusServicePorts, stanza: Stanza, error: unknown): Stanza {
  if (!(error instanceof StanzaError) && !(error instanceof CodecError)) ports.log.error('pre-auth-iq-failed', { error })
  const refused = error instanceof StanzaError ? error
    : error instanceof CodecError ? new StanzaError('bad-request', error.message)
    : new StanzaError('internal-server-error')
  // An iq get or set is always answered.
  return errorReply(stanza, refused) as Stanza
}
