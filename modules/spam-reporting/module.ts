/**
 * Reports of spam and abuse (XEP-0377): what people say about an address while they block it, kept for the operators.
 *
 * The block is the business of the block list, and it happens whatever becomes of the report.
 */
import { archiveStore, defineModule, option, Router, ServerInfo } from '@rollcall/module-api'
import type { Account } from '@rollcall/module-api'
import { tryParseJid } from '@rollcall/jid'
import type { Jid } from '@rollcall/jid'
import { Clock, Log, Metrics, Random } from '@rollcall/ports'
import { CodecError, NS_REPORTING, REASON_ABUSE, REASON_SPAM, Report } from '@rollcall/protocol'
import { buildStanza } from '@rollcall/stanza'
import { XmlElement } from '@rollcall/xml'
import { Blocking } from '../blocking/port.ts'
import { Commands } from '../commands/port.ts'
import { reportCommands } from './commands.ts'
import { ReportLog, ReportRate } from './reports.ts'
import type { StoredReport } from './reports.ts'

export default defineModule({
  name: 'spam-reporting',
  summary: 'Takes reports of spam and abuse with a block, and keeps them for the operators.',
  implements: [{
    xep: 377, version: '0.4.1', status: 'complete', note: 'reports are not sent to the server that the reported address belongs to',
  }],
  features: { host: [NS_REPORTING], account: [NS_REPORTING] },
  config: {
    perHour: option.integer(20, 1, 10_000, 'Reports of one account that count within an hour; further ones are not kept.'),
    reportsMax: option.integer(10_000, 1, 1_000_000, 'Reports kept for one host; the oldest make room.'),
    keepDays: option.integer(180, 0, 36_500, 'Days after which a report is forgotten; 0 = never.'),
    textMax: option.integer(2_000, 10, 100_000, 'Characters of each text of a report that are kept.'),
    notify: option.strings([], 'Addresses of operators of this server that each report is sent to at once.'),
    thirdParties: option.strings([], 'Addresses elsewhere that reports are sent to whose reporters allow it; the reporter is not named.'),
  },
  stores: { reports: archiveStore<StoredReport>('abuse_reports') },
  needs: { blocking: Blocking, router: Router, server: ServerInfo, clock: Clock, random: Random, log: Log, metrics: Metrics },
  wants: { commands: Commands },
  setup({ config, stores, ports: { blocking, router, server, clock, random, log, metrics, commands } }) {
    const reports = new ReportLog(stores.reports, clock, random, config)
    const rate = new ReportRate(config.perHour)
    const operators = addresses('notify', config.notify)
    const thirdParties = addresses('thirdParties', config.thirdParties)
    const counter = (reason: string) => metrics.counter('rollcall_reports_total', 'Reports of spam and abuse, by reason.', { reason })
    const counters = new Map([[REASON_SPAM, counter('spam')], [REASON_ABUSE, counter('abuse')]])
    const others = counter('other')
    const ignored = metrics.counter('rollcall_reports_ignored_total', 'Reports beyond the rate of one account, or unreadable.')
    for (const command of reportCommands(server, reports)) commands?.add(command)

    const take = (account: Account, jid: Jid, element: XmlElement) => {
      const report = readable(element)
      if (report === undefined || !rate.take(account.jid.toString(), clock.monotonic())) {
        ignored.add(1)
        log.warn('abuse-report-ignored', { reporter: account.jid.toString(), reported: jid.toString(), isReadable: report !== undefined })
        return
      }
      ;(counters.get(report.reason) ?? others).add(1)
      const kept = reports.readable(account.jid, jid, report)
      log.info('abuse-report', { reporter: kept.reporter, reported: kept.reported, reason: kept.reason, messages: kept.stanzaIds.length })
      reports.add(account.jid.domainpart, kept).catch((error: unknown) => log.error('abuse-report-lost', { reported: kept.reported, error }))
      const send = (to: Jid, text: string, payload: XmlElement) => void router.route(buildStanza('message', {
        from: account.jid.domain, to, id: random.id(), children: [new XmlElement('body', 'jabber:client', {}, [text]), payload],
      }))
      for (const to of operators) send(to, summary(kept, kept.reporter), element)
      if (!kept.mayGoToThirdParty) return
      // §5: only with the reporter's consent, and without naming who it was: ids of messages say in whose archive they are.
      for (const to of thirdParties) send(to, summary(kept, undefined), Report.encode({ ...report, stanzaIds: [] }))
    }
    blocking.onBlocked((account, { jid, extensions }) => {
      const element = extensions.find(({ name, ns }) => name === 'report' && ns === NS_REPORTING)
      if (element !== undefined) take(account, jid, element)
    })
  },
})

function addresses(name: string, texts: readonly string[]): Jid[] {
  return texts.map((text) => {
    const jid = tryParseJid(text)
    if (jid === undefined) throw new Error(`modules.spam-reporting.${name}: '${text}' is not an address`)
    return jid
  })
}

/** Undefined for a report without a reason (§4). */
function readable(element: XmlElement): Report | undefined {
  try {
    return Report.decode(element)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

function summary({ reported, reason, texts }: StoredReport, reporter: string | undefined): string {
  const by = reporter === undefined ? '' : ` by ${reporter}`
  return [`${reported} was reported${by}: ${reason}`, ...texts].join('\n')
}
