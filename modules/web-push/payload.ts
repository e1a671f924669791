/** What the service worker of the web chat gets (`apps/chat/public/push-worker.js`): JSON, small enough for every push service. */
import type { Jid } from '@rollcall/jid'
import { WEB_PUSH_BYTES_MAX } from '@rollcall/ports'
import type { PushSummary } from '@rollcall/protocol'
import { encodeUtf8 } from '@rollcall/xml'

export interface WebPushPayload {
  /** The account that there is something for. */
  readonly account: string
  readonly messages: number
  readonly requests: number
  readonly sender?: string
  readonly text?: string
}

/** Leaves out what does not fit: the text first, then the sender. */
export function payloadOf(account: Jid, summary: PushSummary): Uint8Array {
  const { lastMessageBody: text, lastMessageSender: sender, messageCount: messages = 0, pendingSubscriptionCount: requests = 0 } = summary
  const counts: WebPushPayload = { account: account.toString(), messages, requests }
  const named = sender === undefined ? counts : { ...counts, sender: sender.toString() }
  const full = text === undefined ? named : { ...named, text }
  for (const payload of [full, named]) {
    const bytes = encodeUtf8(JSON.stringify(payload))
    if (bytes.length <= WEB_PUSH_BYTES_MAX) return bytes
  }
  return encodeUtf8(JSON.stringify(counts))
}
