/** The least that tests of the core need of features: presence with priorities, a store, and a record of what is told. */
import { defineModule, messageAcked, messageUndelivered, outboundPresence, sessionDetached, sessionResumed, sessionUnbound } from '@rollcall/module-api'
import type { AnyModule } from '@rollcall/module-api'

/** Makes resources available with a priority. */
export const tinyPresence: AnyModule = defineModule({
  name: 'tiny-presence',
  summary: 'Keeps presence and priority of sessions.',
  implements: [],
  setup({ on }) {
    on(outboundPresence, 'normal', ({ session, stanza }) => {
      if (stanza.to !== undefined) return false
      session.presence = stanza.type === '' ? stanza : undefined
      const child = stanza.find('priority', 'jabber:client')
      session.priority = child === undefined ? 0 : Number(stanza.element(child).text())
      return true
    })
  },
})

/** Takes messages that nobody can receive; each is committed when the test says so. */
export class TinyStore {
  /** Wire strings, oldest first. */
  readonly stored: string[] = []
  /** Commits on its own. */
  isQuick = true
  #open: PromiseWithResolvers<void>[] = []

  readonly module: AnyModule = defineModule({
    name: 'tiny-offline',
    summary: 'Takes messages that nobody can receive.',
    implements: [],
    setup: ({ on }) => {
      on(messageUndelivered, 'normal', ({ stanza }) => {
        this.stored.push(stanza.toWire())
        if (this.isQuick) return true
        const work = Promise.withResolvers<void>()
        this.#open.push(work)
        return work.promise
      })
    },
  })

  /** Commits the store's work with this number, counted from the first that is open. */
  commit(index = 0): void {
    this.#open.splice(index, 1)[0]?.resolve()
  }

  fail(): void {
    this.#open.shift()?.reject(new Error('disk full'))
  }
}

/** Notes what observers are told, as text. */
export class Witness {
  readonly seen: string[] = []

  readonly module: AnyModule = defineModule({
    name: 'witness',
    summary: 'Notes what happens to sessions.',
    implements: [],
    setup: ({ on }) => {
      on(messageAcked, 'normal', ({ session, stanza }) => this.seen.push(`acked ${stanza.id} ${session.jid.resourcepart}`))
      on(sessionDetached, 'normal', ({ session }) => this.seen.push(`detached ${session.jid.resourcepart}`))
      on(sessionResumed, 'normal', ({ session }) => this.seen.push(`resumed ${session.jid.resourcepart}`))
      on(sessionUnbound, 'normal', ({ session, reason }) => this.seen.push(`unbound ${session.jid.resourcepart} ${reason}`))
    },
  })

  take(): string[] {
    return this.seen.splice(0)
  }
}
