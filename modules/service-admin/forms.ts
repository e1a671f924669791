/** The forms of service administration (XEP-0133 §4), for administrators to fill in. */
import { form, formField } from '@rollcall/protocol'
import { NS_ADMIN } from './admin-command.ts'

const head = (title: string, instruction: string) => ({ type: 'submit', title, instructions: [instruction] }) as const

export const addUserForm = form(head('Adding a user', 'Fill out this form to add a user.'), NS_ADMIN, {
  jid: formField.jid('accountjid', { label: 'The address of the account to be added' }),
  password: formField.secret('password', { label: 'The password of the account' }),
  passwordAgain: formField.secret('password-verify', { label: 'The password once more' }),
})

/** One form for every command that is about some accounts. */
export const accountsForm = (title: string, label: string) => form(head(title, 'Name one or more accounts.'), NS_ADMIN, {
  jids: formField.jids('accountjids', { label }),
})

export const accountForm = (title: string, label: string) => form(head(title, 'Name the account.'), NS_ADMIN, {
  jid: formField.jid('accountjid', { label }),
})

export const passwordForm = form(head('Changing a password', 'Fill out this form to change the password of a user.'), NS_ADMIN, {
  jid: formField.jid('accountjid', { label: 'The address of the account' }),
  password: formField.secret('password', { label: 'The new password' }),
})

/** How many entries of a list are wanted; there is no `none`, because an answer has to fit into a stanza. */
export const listForm = (title: string) => form(head(title, 'Say how many to show.'), NS_ADMIN, {
  max: formField.list('max_items', { 25: '25', 50: '50', 75: '75', 100: '100', 150: '150', 200: '200' }, { label: 'Maximum number to show' }).optional(),
})

export const announcementForm = form(head('Making an announcement', 'The text goes to everybody who is online.'), NS_ADMIN, {
  lines: formField.lines('announcement', { label: 'Announcement' }),
})

export const motdForm = form(head('The message of the day', 'The text goes to everybody who is online, and to others when they come.'), NS_ADMIN, {
  lines: formField.lines('motd', { label: 'Message of the day' }),
})

export const welcomeForm = form(head('The welcome message', 'The text goes to every new user.'), NS_ADMIN, {
  lines: formField.lines('welcome', { label: 'Welcome message' }),
})

export const shutdownForm = form(head('Shutting down', 'Connected users are told before the server stops.'), NS_ADMIN, {
  delay: formField.list('delay', {
    30: '30 seconds', 60: '60 seconds', 90: '90 seconds', 120: '2 minutes', 180: '3 minutes', 240: '4 minutes', 300: '5 minutes',
  }, { label: 'Time before the server stops' }),
  lines: formField.lines('announcement', { label: 'Announcement' }),
})
