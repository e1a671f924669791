/** What a person does and sees in Converse.js, in words; the selectors are those of Converse.js 14. */
import type { Locator } from 'playwright-core'
import type { Window } from './chromium.ts'

export interface Person {
  readonly window: Window
  /** Logs in by the form. */
  logIn(name: string, password: string): Promise<void>
  /** Resolves when the roster shows the contact with this presence: online, away, dnd, offline. */
  seesContact(contact: string, presence: string): Promise<void>
  /** Opens the chat with a contact. */
  openChat(contact: string): Promise<void>
  /** Writes into the open chat. */
  say(text: string): Promise<void>
  /** Resolves when the open chat shows the text. */
  sees(text: string): Promise<void>
  /** The texts of the open chat, from top to bottom. */
  texts(): Promise<readonly string[]>
  /** Chooses a presence: Online, Busy, Away. */
  setPresence(label: string): Promise<void>
}

export function personIn(window: Window): Person {
  const { page } = window
  const textarea = page.locator('converse-chat textarea.chat-textarea')
  // A contact with unread messages stands in two groups.
  const contactLink = (contact: string): Locator => page.locator(`a.open-chat[data-jid="${contact}"]`).first()
  return {
    window,
    logIn: async (name, password) => {
      await page.locator('input[name=jid]').fill(name)
      await page.locator('input[name=password]').fill(password)
      await page.locator('converse-login-form [type=submit]').click()
      await page.locator('a.change-status').waitFor()
    },
    seesContact: (contact, presence) => page.locator(`li[data-status="${presence}"] a.open-chat[data-jid="${contact}"]`).first().waitFor(),
    openChat: async (contact) => {
      await contactLink(contact).click()
      await textarea.waitFor()
    },
    say: async (text) => {
      await textarea.fill(text)
      await textarea.press('Enter')
    },
    sees: (text) => page.locator('converse-chat .chat-msg__text', { hasText: text }).first().waitFor(),
    texts: async () => (await page.locator('converse-chat .chat-msg__text').allInnerTexts()).map((text) => text.trim()),
    setPresence: async (label) => {
      await page.locator('a.change-status').click()
      const form = page.locator('#set-xmpp-status')
      await form.getByText(label, { exact: true }).click()
      await form.locator('[type=submit]').click()
      await page.getByText('Status updated').waitFor()
      await page.locator('converse-profile-modal button.btn-close, converse-profile-modal [data-bs-dismiss=modal]').first().click()
      await form.waitFor({ state: 'hidden' })
    },
  }
}
