/** Commands for texts to users, and for stopping the server with a word of warning (XEP-0133 §4). */
import type { ServerControl } from '@rollcall/module-api'
import { StanzaError } from '@rollcall/stanza'
import type { CommandStage } from '../commands/port.ts'
import { done, doneExcept, failuresOf, formProblem, formStage } from './admin-command.ts'
import type { AdminCommand } from './admin-command.ts'
import { announcementForm, motdForm, shutdownForm, welcomeForm } from './forms.ts'
import type { Notices } from './notices.ts'

export function noticeCommands(notices: Notices, control: ServerControl): AdminCommand[] {
  return [
    {
      action: 'announce', name: 'Send Announcement to Online Users',
      start: ({ to }) => formStage(announcementForm, {}, async ({ lines }) =>
        done(`Sent to ${await notices.announce(to.domainpart, requireText(lines))} connected resources`)),
    },
    {
      action: 'set-motd', name: 'Set Message of the Day',
      start: ({ to }) => formStage(motdForm, {}, async ({ lines }) => {
        await notices.setMotd(to.domainpart, requireText(lines))
        return done('The message of the day is set')
      }),
    },
    { action: 'edit-motd', name: 'Edit Message of the Day', start: ({ to }) => editMotd(notices, to.domainpart) },
    {
      action: 'delete-motd', name: 'Delete Message of the Day',
      start: async ({ to }) => deleted(await notices.deleteMotd(to.domainpart), 'message of the day'),
    },
    {
      action: 'set-welcome', name: 'Set Welcome Message',
      start: ({ to }) => formStage(welcomeForm, { lines: linesOf(notices.welcome(to.domainpart)) }, async ({ lines }) => {
        await notices.setWelcome(to.domainpart, requireText(lines))
        return done('The welcome message is set')
      }),
    },
    {
      action: 'delete-welcome', name: 'Delete Welcome Message',
      start: async ({ to }) => deleted(await notices.deleteWelcome(to.domainpart), 'welcome message'),
    },
    {
      action: 'shutdown', name: 'Shut Down Service',
      start: ({ to }) => formStage(shutdownForm, { delay: '60' }, async ({ delay, lines }) => {
        const text = lines.join('\n').trim()
        control.shutdown(Number(delay) * 1_000)
        const failures = text === '' ? [] : await failuresOf(() => notices.announce(to.domainpart, text))
        return doneExcept(`The server stops in ${delay} seconds`, failures.map((failure) => `The server stops, and not everybody was told: ${failure}`))
      }),
    },
  ]
}

function editMotd(notices: Notices, host: string): CommandStage {
  const present = notices.motd(host)
  if (present === undefined) throw none('message of the day')
  return formStage(motdForm, { lines: linesOf(present.text) }, async ({ lines }) => {
    if (!(await notices.editMotd(host, requireText(lines)))) throw none('message of the day')
    return done('The message of the day is changed')
  })
}

function deleted(isDeleted: boolean, what: string): CommandStage {
  if (!isDeleted) throw none(what)
  return done(`The ${what} is deleted`)
}

const none = (what: string) => new StanzaError('item-not-found', `There is no ${what}`)

const linesOf = (text: string | undefined) => text?.split('\n') ?? []

function requireText(lines: readonly string[]): string {
  const text = lines.join('\n').trim()
  if (text === '') throw formProblem('the text is missing')
  return text
}
