/** The trace id of a stanza: copies and answers inherit it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildStanza, errorReply, iqResult, StanzaError } from '@rollcall/stanza'

test('answers to a traced stanza, errors and results alike, carry its trace id', () => {
  const request = buildStanza('iq', { type: 'get', id: 'q' })
  request.trace = 'trace-1'
  assert.equal(errorReply(request, new StanzaError('forbidden'))?.trace, 'trace-1')
  assert.equal(iqResult(request).trace, 'trace-1')
  assert.equal(request.addressed(undefined, undefined).trace, 'trace-1')
  assert.equal(request.withChild('x', 'urn:example:x', "<x xmlns='urn:example:x'/>").trace, 'trace-1')
})
