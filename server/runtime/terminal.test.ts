import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { askSecret } from './terminal.ts'

/** A terminal that records what it is told, in order. */
function fakeTerminal() {
  const events: string[] = []
  const stdin = Object.assign(new PassThrough(), { setRawMode: (isRaw: boolean) => events.push(isRaw ? 'raw' : 'cooked') && stdin })
  const stderr = { write: (text: string) => events.push(text) }
  return { events, stdin: stdin as unknown as NodeJS.ReadStream & PassThrough, stderr }
}

describe('asking for a secret', () => {
  it('shows nothing of it: raw before the question, only a line end after it', async () => {
    const { events, stdin, stderr } = fakeTerminal()
    const answer = askSecret(stdin, stderr, 'Password: ')
    stdin.write('wherefore\r')
    assert.equal(await answer, 'wherefore')
    assert.deepEqual(events, ['raw', 'Password: ', 'cooked', '\n'])
  })

  const typed: [title: string, chunks: string[], answer: string | undefined][] = [
    ['key by key', ['a', 'b', '\n'], 'ab'],
    ['corrected, characters of any plane', ['a\u{1F339}\u007f', 'b\b\bc\r'], 'c'],
    ['correcting more than there is', ['\u007f\u007fx\r'], 'x'],
    ['nothing', ['\r'], ''],
    ['given up with Ctrl-C', ['abc\u0003'], undefined],
    ['given up with Ctrl-D', ['\u0004'], undefined],
  ]
  for (const [title, chunks, expected] of typed) {
    it(title, async () => {
      const { stdin, stderr } = fakeTerminal()
      const answer = askSecret(stdin, stderr, '')
      for (const chunk of chunks) stdin.write(chunk)
      assert.equal(await answer, expected)
    })
  }
})
