/** BOSH sessions (placeholder while the stream half is built). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { StreamService } from './connection.ts'
import { answerText } from './http-routes.ts'
import type { HttpRequestFacts } from './http-routes.ts'
import type { Hub } from './hub.ts'

export class BoshSessions {
  constructor(_hub: Hub, _service: StreamService) {}
  start(): void {}
  stop(): void {}
  request(_request: IncomingMessage, response: ServerResponse, _facts: HttpRequestFacts): void {
    answerText(response, 404, 'Not found')
  }
}
