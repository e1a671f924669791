/** From whatever was thrown to an error with a stable code. */
import { StorageError } from '@rollcall/ports'
import type { StorageErrorCode } from '@rollcall/ports'
import { JidError } from '@rollcall/jid'
import { StanzaError } from '@rollcall/stanza'
import type { StanzaErrorCondition } from '@rollcall/stanza'
import { RollcallError } from '../config/index.ts'
import type { ErrorCode } from '../config/index.ts'
import { ModuleConfigError } from '../core/module-loader.ts'
import { CertificateError } from '../edge/certificates.ts'
import { ListenError as EdgeListenError } from '../edge/listeners.ts'
import { ListenError } from '../runtime/network.ts'

const byCondition: Partial<Record<StanzaErrorCondition, ErrorCode>> = {
  'conflict': 'account-exists',
  'item-not-found': 'no-such-account',
  'not-allowed': 'host-not-served',
  'not-acceptable': 'bad-password',
  'jid-malformed': 'bad-jid',
  'resource-constraint': 'busy',
}

const byStorageCode: Partial<Record<StorageErrorCode, ErrorCode>> = { full: 'storage-full', busy: 'busy', conflict: 'file-exists' }

/** Always a `RollcallError`; what nobody foresaw becomes `internal` with the original as its cause. */
export function toFailure(error: unknown): RollcallError {
  if (error instanceof RollcallError) return error
  if (error instanceof JidError) return new RollcallError('bad-jid', error.message, { cause: error })
  if (error instanceof StanzaError) {
    return new RollcallError(byCondition[error.condition] ?? 'internal', error.text ?? error.condition, { cause: error })
  }
  if (error instanceof StorageError) return new RollcallError(byStorageCode[error.code] ?? 'storage-failed', error.message, { cause: error })
  if (error instanceof ListenError || error instanceof EdgeListenError) return new RollcallError('cannot-listen', error.message, { cause: error })
  if (error instanceof CertificateError) return new RollcallError('bad-certificate', error.message, { cause: error })
  if (error instanceof ModuleConfigError) return new RollcallError('config-conflict', error.message, { cause: error })
  return new RollcallError('internal', error instanceof Error ? error.message : String(error), { cause: error })
}
