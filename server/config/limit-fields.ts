/** Fields of every limit and time-out of edge, core and authentication: bounds and one sentence for each number. */
import type { AuthBackoffConfig, BoshConfig, EdgeLimits, EdgeTimeouts } from '../edge/config.ts'
import { defaultEdgeConfig } from '../edge/config.ts'
import type { AdmissionConfig } from '../edge/admission.ts'
import type { ClientsConfig, LockoutConfig } from '../core/auth/config.ts'
import { defaultAuthConfig } from '../core/auth/config.ts'
import { defaultCoreLimits, defaultStreamManagement } from '../core/config.ts'
import type { CoreLimits, StreamManagementConfig } from '../core/config.ts'
import { defaultPressureConfig } from '../runtime/pressure.ts'
import type { PressureConfig } from '../runtime/pressure.ts'
import { field, numbers, section } from './field.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const MILLION = 1_000_000
const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

const edgeLimitFields = numbers<EdgeLimits>(defaultEdgeConfig.limits, {
  connectionsMax: [1, MILLION, 'Connections of all kinds.'],
  connectionsPerAddressMax: [1, MILLION, 'Connections of one address (IPv6: of one /64 network).'],
  connectsPerMinuteMax: [1, MILLION, 'New connections of one address per minute.'],
  addressesMax: [100, MILLION, 'Addresses remembered for these limits.'],
  preAuthElementBytesMax: [KIB, MIB, 'One element before authentication.'],
  preAuthBytesMax: [4 * KIB, 16 * MIB, 'Everything received before authentication, TLS excluded.'],
  preAuthElementsMax: [8, 1000, 'Elements received before a resource is bound.'],
  pendingElementsMax: [1, 1000, 'Elements of one client that may wait for an answer of the core.'],
  saslAttemptsMax: [1, 20, 'Failed logins on one stream (RFC 6120 §6.4.5 advises 2 to 5).'],
  stanzaBytesMax: [10_000, 64 * MIB, 'One stanza of a client (RFC 6120 §13.12: at least 10000 bytes).'],
  stanzaDepthMax: [8, 1024, 'Elements inside each other in one stanza.'],
  stanzaAttributesMax: [8, 1024, 'Attributes of one element.'],
  stanzaNodesMax: [64, MILLION, 'Elements, texts and attributes of one stanza.'],
  componentStanzaBytesMax: [10_000, 64 * MIB, 'One stanza of a component.'],
  inputBytesPerSecondMax: [0, GIB, 'What one client may send per second on average; 0 is unlimited.'],
  inputBurstBytesMax: [10_000, GIB, 'What one client may send at once beyond that rate.'],
  outputBytesMax: [64 * KIB, GIB, 'Waiting for a client that does not read; more closes its connection.'],
  outputHighBytes: [16 * KIB, GIB, 'Waiting beyond which the client\'s own input is not read.'],
  outputAllBytesMax: [MIB, 1024 * GIB, 'Waiting for all clients together; beyond it those for whom most waits are cut off.'],
  componentOutputBytesMax: [64 * KIB, GIB, 'Waiting for a component that does not read; more closes its connection.'],
})

const coreLimitFields = numbers<CoreLimits>(defaultCoreLimits, {
  sessionsPerAccountMax: [1, 10_000, 'Connected resources of one account.'],
  idleAccountsMax: [0, 10 * MILLION, 'Accounts without a session that are kept in memory.'],
  idleAccountMs: [0, dayMs, 'How long an account without a session is kept in memory.'],
  loadingQueueMax: [1, MILLION, 'Stanzas that wait for one account to be read from storage.'],
  pendingRequestsMax: [1, 10 * MILLION, 'Requests of the server itself that wait for an answer.'],
})

/** `limits`: those of the edge and of the core, which no operator has to tell apart. */
export const limits = section('What one client, one address and all of them may take. 256KiB, 1MiB; plain numbers are bytes.', {
  ...edgeLimitFields,
  ...coreLimitFields,
  exemptAddresses: field.texts(defaultEdgeConfig.exemptAddresses, 'Addresses whose connections are not counted by address: this machine, load balancers.'),
})

export const edgeLimitKeys = Object.keys(edgeLimitFields) as (keyof EdgeLimits)[]
export const coreLimitKeys = Object.keys(coreLimitFields) as (keyof CoreLimits)[]

export const timeouts = section('How long things may take: 500ms, 30s, 15m, 1h.', numbers<EdgeTimeouts>(defaultEdgeConfig.timeouts, {
  negotiationMs: [secondMs, hourMs, 'From the connection to a bound resource, TLS included.'],
  closeMs: [100, hourMs, 'From our close tag to the peer\'s.'],
  coreMs: [100, hourMs, 'For the core to answer the edge.'],
  keepaliveMs: [0, dayMs, 'Silence after which a space is sent; 0 never.'],
  idleMs: [0, dayMs, 'Silence after which a client is asked for a sign of life, a quarter of it after a resumption; 0 never.'],
  unansweredMs: [secondMs, dayMs, 'The same when a message or request was sent to it since, without stream management.'],
  probeMs: [secondMs, hourMs, 'For that sign of life to come.'],
  drainMs: [0, hourMs, 'When the server stops: for connections to close by themselves.'],
  sweepMs: [10, minuteMs, 'How often time-outs are looked at: how late they can be.'],
}))

export const addressLockout = section('Waits after failed logins from one address.', numbers<AuthBackoffConfig>(defaultEdgeConfig.authBackoff, {
  freeFailures: [0, 1000, 'Failures that cost nothing.'],
  baseMs: [0, hourMs, 'Wait after the first failure beyond those; doubles with each.'],
  maxMs: [0, dayMs, 'Longest wait.'],
  forgetMs: [secondMs, 7 * dayMs, 'Quiet time after which failures are forgotten.'],
}))

const percent = [1, 100] as const

export const pressureFields = numbers<PressureConfig>(defaultPressureConfig, {
  lagBrownOutMs: [10, minuteMs, 'Work waits so long for its turn: brown-out.'],
  lagRefuseMs: [10, minuteMs, 'Work waits so long for its turn: new connections are refused.'],
  memoryBrownOutPercent: [...percent, 'Percent of the memory that the server may use: brown-out.'],
  memoryRefusePercent: [...percent, 'The same: new connections are refused.'],
  memoryBytesMax: [0, 1024 * GIB, 'What the server may use; 0: what its control group or the machine has.'],
  outputBrownOutBytes: [MIB, 1024 * GIB, 'Waiting for clients to read, all together: brown-out.'],
  outputRefuseBytes: [MIB, 1024 * GIB, 'The same: new connections are refused.'],
  storageBrownOutOperations: [100, MILLION, 'Operations that wait for storage: brown-out.'],
  storageRefuseOperations: [100, MILLION, 'The same: new connections are refused.'],
  calmMs: [0, hourMs, 'How long all of this must be well again before the server is a step nearer to normal.'],
})

export const admissionFields = numbers<AdmissionConfig>(defaultEdgeConfig.admission, {
  queueMax: [0, MILLION, 'New connections that may wait during brown-out; further ones are refused.'],
  waitMs: [100, 10 * minuteMs, 'How long one may wait; then it is refused.'],
  perSecond: [1, MILLION, 'New connections let in per second during brown-out.'],
})

export const overload = section('When the server cannot keep up: brown-out (less presence, logins paced, costly requests refused), then no new connections.', {
  ...pressureFields,
  admission: section('New connections during brown-out.', admissionFields),
})

export const accountLockout = section('Waits after failed logins to one account.', numbers<LockoutConfig>(defaultAuthConfig.lockout, {
  freeFailures: [0, 1000, 'Failures in a row that cost nothing.'],
  baseMs: [0, hourMs, 'Wait after the first failure beyond those; doubles with each.'],
  maxMs: [0, dayMs, 'Longest wait; somebody who fails on purpose should not lock the owner out for long.'],
  forgetMs: [secondMs, 7 * dayMs, 'Quiet time after which failures are forgotten.'],
  accountsMax: [100, 10 * MILLION, 'Accounts remembered.'],
}))

export const loginClients = section('What is remembered of clients that name themselves (SASL2), and their login tokens (FAST).', {
  ...numbers<Omit<ClientsConfig, 'areNamesKept'>>(defaultAuthConfig.clients, {
    clientsMax: [1, 1000, 'Clients remembered per account.'],
    keptMs: [0, 3650 * dayMs, 'How long a client is remembered after its last login, unless it has a token; 0 not at all.'],
    nameUnitsMax: [1, 1000, 'Longest name of software or device that is kept, in characters.'],
    tokenLifetimeMs: [hourMs, 3650 * dayMs, 'Lifetime of a token; a device that is off for longer needs the password again.'],
    tokenRotationMs: [0, 365 * dayMs, 'Age at which a token is replaced when it is used.'],
  }),
  areNamesKept: field.boolean(defaultAuthConfig.clients.areNamesKept, 'Keep what clients say about their software and device.'),
})

type StreamManagementNumbers = Omit<StreamManagementConfig, 'durability' | 'location'>

export const streamManagementFields = numbers<StreamManagementNumbers>(defaultStreamManagement, {
  resumeMaxSeconds: [0, 86_400, 'How long a session whose connection is lost waits for its client; 0: none can be resumed.'],
  unackedStanzasMax: [10, MILLION, 'Stanzas sent to one client and not acknowledged; more end its session.'],
  unackedBytesMax: [64 * KIB, GIB, 'Bytes of such stanzas; more end the session.'],
  detachedSessionsMax: [0, 10 * MILLION, 'Sessions that wait for their client at a time; beyond it a lost one ends at once.'],
  endedSessionsKept: [0, 10 * MILLION, 'Ended sessions remembered, so that clients that come too late learn what arrived.'],
  ackTimeoutMinMs: [secondMs, hourMs, 'A client has ten times its usual delay to acknowledge, at least this long.'],
  ackTimeoutMaxMs: [secondMs, hourMs, 'The most that may be; then its connection is taken for lost.'],
})

type BoshNumbers = Omit<BoshConfig, 'path'>

export const boshFields = numbers<BoshNumbers>(defaultEdgeConfig.http.bosh, {
  waitMaxSeconds: [1, 600, 'Longest time that a request waits for something to answer.'],
  holdMax: [1, 10, 'Requests of one session held open.'],
  inactivitySeconds: [5, 3600, 'Time without a request after which a session ends.'],
  pollingSeconds: [0, 60, 'Shortest time between empty requests of a client that does not wait.'],
  pauseMaxSeconds: [0, 3600, 'Longest pause that a client may ask for.'],
  responsesKept: [1, 20, 'Responses kept for a client that repeats a request.'],
  sessionsMax: [1, MILLION, 'Sessions at a time.'],
})
