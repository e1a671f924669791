// What people read about the modules: the list of specifications and the DOAP file,
// all made from the declarations, so that none of them can promise what the code does not.

import type { Implements } from '@rollcall/module-api'

const NOTICE = 'Generated from the module declarations by `npm run generate`: do not edit.'

/** Whoever declares what it implements: a module, the core, the edge. */
export interface Declarer {
  readonly name: string
  readonly implements: readonly Implements[]
}

type Specification = Implements & { module: string }

/** `docs/reference/xeps.md`: every specification, its version, how complete it is and which module has it. */
export function xepReference(modules: readonly Declarer[]): string {
  const rows = specifications(modules).map(({ xep, rfc, version, status, note, module }) => {
    const name = xep === undefined ? `[RFC ${rfc}](https://www.rfc-editor.org/rfc/rfc${rfc})` : `[${xepName(xep)}](${xepAddress(xep)})`
    return row([name, version, note === undefined ? status : `${status}: ${note}`, `\`${module}\``])
  })
  return lines('# Specifications', '', NOTICE, '', row(['Specification', 'Version', 'Status', 'Module or part']), row(['---', '---', '---', '---']), ...rows)
}

/** `doap.xml`: the project for machines, with the XEPs it implements (XEP-0453). */
export function doap(modules: readonly Declarer[], version: string): string {
  const xeps = specifications(modules).flatMap(({ xep, version: xepVersion, status, note }) =>
    xep === undefined ? [] : [supportedXep(xep, xepVersion, status, note)],
  )
  return lines(
    `<?xml version='1.0' encoding='UTF-8'?>`,
    `<!-- ${NOTICE} -->`,
    `<rdf:RDF xmlns='http://usefulinc.com/ns/doap#' xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>`,
    '  <Project>',
    '    <name>Rollcall</name>',
    `    <shortdesc xml:lang='en'>A presence-first, horizontally scalable, federated XMPP messaging system</shortdesc>`,
    `    <license rdf:resource='https://spdx.org/licenses/Apache-2.0'/>`,
    '    <programming-language>TypeScript</programming-language>',
    `    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>`,
    `    <release><Version><revision>${escapeXml(version)}</revision></Version></release>`,
    `    <implements rdf:resource='https://xmpp.org/rfcs/rfc6120.html'/>`,
    `    <implements rdf:resource='https://xmpp.org/rfcs/rfc6121.html'/>`,
    `    <implements rdf:resource='https://xmpp.org/rfcs/rfc7622.html'/>`,
    ...xeps,
    '  </Project>',
    '</rdf:RDF>',
  )
}

function specifications(modules: readonly Declarer[]): Specification[] {
  const all = modules.flatMap((module) => module.implements.map((specification) => ({ ...specification, module: module.name })))
  return all.toSorted((a, b) => sortKey(a) - sortKey(b) || a.module.localeCompare(b.module))
}

/** RFCs first, then XEPs, each by number. */
function sortKey({ xep, rfc }: Specification): number {
  return xep === undefined ? (rfc ?? 0) - 1_000_000 : xep
}

function supportedXep(xep: number, version: string, status: string, note: string | undefined): string {
  const noteElement = note === undefined ? '' : `<xmpp:note xml:lang='en'>${escapeXml(note)}</xmpp:note>`
  const resource = `<xmpp:xep rdf:resource='${xepAddress(xep)}'/>`
  const body = `${resource}<xmpp:version>${escapeXml(version)}</xmpp:version><xmpp:status>${status}</xmpp:status>${noteElement}`
  return `    <implements><xmpp:SupportedXep>${body}</xmpp:SupportedXep></implements>`
}

function xepName(xep: number): string {
  return `XEP-${String(xep).padStart(4, '0')}`
}

function xepAddress(xep: number): string {
  return `https://xmpp.org/extensions/${xepName(xep).toLowerCase()}.html`
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

function lines(...all: string[]): string {
  return `${all.join('\n')}\n`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
