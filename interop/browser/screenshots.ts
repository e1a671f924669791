/** Pictures for the documentation, taken only when ROLLCALL_SCREENSHOT_FOLDER names a folder: tests change no files of the project. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Person } from './converse-window.ts'

const GAP = 24

/** Writes `chat-two-windows.png`, the windows beside each other, and `chat.png`, the first alone. */
export async function saveScreenshots(people: readonly Person[]): Promise<void> {
  const folder = process.env['ROLLCALL_SCREENSHOT_FOLDER'] ?? ''
  const [first] = people
  if (folder === '' || first === undefined) return
  mkdirSync(folder, { recursive: true })
  const pictures = await Promise.all(people.map(({ window }) => window.page.screenshot()))
  await first.window.page.screenshot({ path: join(folder, 'chat.png') })
  const images = pictures.map((picture) => `<img src="data:image/png;base64,${picture.toString('base64')}">`)
  const body = `body { margin: 0; padding: ${GAP}px; display: inline-flex; gap: ${GAP}px; background: #d7dce2 }`
  const style = `${body} img { width: 640px; box-shadow: 0 2px 12px #0005; border-radius: 6px }`
  const page = await first.window.page.context().newPage()
  await page.setViewportSize({ width: 1400, height: 600 })
  await page.setContent(`<style>${style}</style>${images.join('')}`)
  await page.locator('body').screenshot({ path: join(folder, 'chat-two-windows.png') })
  await page.close()
}
