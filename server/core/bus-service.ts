/**
 * The core's side of the bus: which message goes where. One function per direction, nothing else.
 */
import { CodecError } from '@rollcall/protocol'
import { errorReply, StanzaError } from '@rollcall/stanza'
import type { Stanza } from '@rollcall/stanza'
import type { BusHandler, Log, MemberId } from '@rollcall/ports'
import type { HostInfo, PreAuthIqMessage, ServerMessage } from '../protocol/messages.ts'
import type { BindInline } from './bind-inline.ts'
import type { Binding } from './binding.ts'
import type { ClientInbox } from './client-inbox.ts'
import type { ComponentTable } from './components.ts'
import { resultOf } from './iq-dispatch.ts'
import type { IqDispatch } from './iq-dispatch.ts'
import type { ModuleLoader } from './module-loader.ts'
import type { CoreRouter } from './router.ts'
import type { StreamManagement } from './stream-management.ts'

/** Answers the messages about credentials (`server/core/auth`). */
export interface AuthResponder {
  /** Undefined when the message is not about authentication. */
  answer(message: ServerMessage): Promise<unknown> | undefined
}

export interface BusServicePorts {
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

export function busService(ports: BusServicePorts): BusHandler<ServerMessage> {
  return {
    receive: (from, message) => receive(ports, from, message),
    answer: (from, message) => answer(ports, from, message),
  }
}

function receive(ports: BusServicePorts, from: MemberId, message: ServerMessage): void {
  switch (message.kind) {
    case 'client-stanza': {
      const session = ports.binding.sessions.find(from, message.conn)
      // Not found: the session was ended here while the stanza was on its way.
      if (session === undefined) return
      const work = ports.inbox.receive(session, message.stanza)
      if (session.management !== undefined) session.management.count(work)
      return
    }
    case 'client-nonza': {
      const session = ports.binding.sessions.find(from, message.conn)
      if (session !== undefined) ports.streams.receive(session, message.element)
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
    case 'route':
      void ports.router.route(message.stanza)
      return
    case 'broadcast':
      return ports.router.expand(message.stanza, message.targets)
    default:
      ports.log.warn('bus-message-ignored', { kind: message.kind, from })
  }
}

async function answer(ports: BusServicePorts, from: MemberId, message: ServerMessage): Promise<unknown> {
  switch (message.kind) {
    case 'host-info':
      return hostInfo(ports, message.host)
    case 'resume':
      return ports.streams.resume(from, message)
    case 'bind':
      return ports.binding.bind(from, message)
    case 'register-component':
      return { isAccepted: !ports.hosts.has(message.domain) && ports.components.register(message.domain, from, message.conn) }
    case 'pre-auth-iq':
      return preAuthIq(ports, message)
    default: {
      const reply = ports.auth.answer(message)
      if (reply === undefined) throw new Error(`No answer to a bus request '${message.kind}'`)
      return reply
    }
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
