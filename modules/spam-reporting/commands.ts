/** Ad-hoc commands with which administrators read and clear the reports of a host. */
import type { ServerInfo } from '@rollcall/module-api'
import { form, formatDateTime, formField } from '@rollcall/protocol'
import type { DataFormInput } from '@rollcall/protocol'
import type { CommandDefinition, CommandStage } from '../commands/port.ts'
import type { ReportLog, StoredReport } from './reports.ts'

const NODE = 'urn:rollcall:reports'
const columns = [['at', 'Time'], ['reporter', 'Reporter'], ['reported', 'Reported'], ['reason', 'Reason'], ['text', 'Text'], ['messages', 'Messages']] as const

const askForm = form({ type: 'submit', title: 'Reports of spam and abuse' }, NODE, {
  about: formField.jid('about', { label: 'About this account or domain only' }).optional(),
  max: formField.list('max_items', { 25: '25', 50: '50', 100: '100', 200: '200' }, { label: 'Maximum number to show' }).optional(),
})
const clearForm = form({ type: 'submit', title: 'Clear the reports' }, NODE, {
  isSure: formField.bool('sure', { label: 'All reports of this host are to be deleted' }),
})

export function reportCommands(server: ServerInfo, reports: ReportLog): readonly CommandDefinition[] {
  const mayRun: CommandDefinition['mayRun'] = ({ from }) => server.isAdmin(from)
  return [
    {
      node: `${NODE}#list`, name: 'Reports of spam and abuse', scope: 'host', mayRun,
      start: ({ to }): CommandStage => ({
        kind: 'form', form: askForm.blank({ max: '25' }), actions: ['complete'],
        async submit(submitted) {
          const { about, max } = askForm.read(submitted)
          const found = await reports.newest(to.domainpart, about?.bare.toString(), Number(max ?? '25'))
          return { kind: 'final', form: table(found) }
        },
      }),
    },
    {
      node: `${NODE}#clear`, name: 'Clear the reports of spam and abuse', scope: 'host', mayRun,
      start: ({ to }): CommandStage => ({
        kind: 'form', form: clearForm.blank(), actions: ['complete'],
        async submit(submitted) {
          if (!clearForm.read(submitted).isSure) return { kind: 'final', notes: [{ type: 'info', text: 'Nothing was deleted' }] }
          await reports.clear(to.domainpart)
          return { kind: 'final', notes: [{ type: 'info', text: 'The reports were deleted' }] }
        },
      }),
    },
  ]
}

/** A table of results (XEP-0004 §3.4). */
function table(found: readonly { readonly at: number; readonly value: StoredReport }[]): DataFormInput {
  return {
    type: 'result',
    title: 'Reports of spam and abuse',
    fields: [{ var: 'FORM_TYPE', type: 'hidden', values: [NODE] }],
    reported: { fields: columns.map(([name, label]) => ({ var: name, label })) },
    items: found.map(({ at, value }) => {
      const cells = {
        at: formatDateTime(at), reporter: value.reporter, reported: value.reported, reason: value.reason,
        text: value.texts.join('\n'), messages: value.stanzaIds.join(' '),
      }
      return { fields: columns.map(([name]) => ({ var: name, values: [cells[name]] })) }
    }),
  }
}
