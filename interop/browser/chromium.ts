/**
 * Debian's Chromium without a window, and people in it: each has cookies and storage of their own, as two computers would.
 *
 * Nothing but the server under test may be asked for anything: requests to elsewhere are recorded and refused.
 */
import { after, before } from 'node:test'
import { chromium } from 'playwright-core'
import type { Browser, Page } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'
/** For one step on a page; a busy machine needs seconds where a quiet one needs none. */
export const STEP_TIMEOUT_MS = 20_000
const VIEWPORT = { width: 900, height: 640 }

// Tests run as root in containers, where Chromium's sandbox cannot work; the rest keeps it from calling its maker.
const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--disable-dev-shm-usage',
]

/** A page with what it did on the network and said on its console. */
export interface Window {
  readonly page: Page
  readonly webSockets: string[]
  /** Addresses asked for, without WebSockets. */
  readonly requests: string[]
  /** Requests to anybody but the server: refused. */
  readonly foreign: string[]
  readonly console: string[]
  /** Errors that no code of the page caught. */
  readonly faults: string[]
}

export interface Chromium {
  /** A new window of a new person. */
  open(origin: string): Promise<Window>
}

/** Chromium for the suite in which this is called. */
export function useChromium(): Chromium {
  let browser: Browser | undefined
  before(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: flags, timeout: 60_000 })
  })
  after(() => browser?.close())
  return {
    async open(origin) {
      if (browser === undefined) throw new Error('Chromium was not started')
      const context = await browser.newContext({ viewport: VIEWPORT, locale: 'en' })
      context.setDefaultTimeout(STEP_TIMEOUT_MS)
      const window: Window = { page: await context.newPage(), webSockets: [], requests: [], foreign: [], console: [], faults: [] }
      await context.route((url) => url.origin !== origin && url.protocol !== 'data:' && url.protocol !== 'blob:', (route) => {
        window.foreign.push(route.request().url())
        return route.abort()
      })
      window.page.on('request', (request) => window.requests.push(request.url()))
      window.page.on('websocket', (socket) => window.webSockets.push(socket.url()))
      window.page.on('console', (message) => window.console.push(`${message.type()} ${message.text()}`))
      window.page.on('pageerror', (error) => window.faults.push(error.stack ?? error.message))
      return window
    },
  }
}
