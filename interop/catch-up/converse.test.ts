/** Converse.js in Chromium: what its page shows. */
import { afterEach } from 'node:test'
import { useChromium } from '../browser/chromium.ts'
import { personIn } from '../browser/converse-window.ts'
import type { Person } from '../browser/converse-window.ts'
import { juliet, ROMEO, tellStory } from './story.ts'
import type { ChatClient, Place } from './story.ts'

function converse({ relay }: Place): ChatClient {
  const chromium = useChromium()
  let person: Person | undefined
  const online = (): Person => {
    if (person === undefined) throw new Error('nobody has logged in')
    return person
  }
  afterEach((context) => {
    if ('passed' in context && !context.passed) console.error(`The page's console at the end of '${context.name}':\n${online().window.console.join('\n')}`)
  })
  return {
    asksArchive: true,
    async logIn() {
      const origin = `http://127.0.0.1:${relay.port}`
      person = personIn(await chromium.open(origin))
      await person.window.page.goto(`${origin}/`)
      await person.logIn(juliet.localpart, juliet.password)
      await person.openChat(ROMEO)
    },
    say: (text) => online().say(text),
    shown: () => online().texts(),
  }
}

tellStory('Converse.js', 'http', converse)
