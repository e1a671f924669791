/** The commented example and the reference, made from the schema: what they promise is what is read. */
import type { AnyModule } from '@rollcall/module-api'
import { variableOf } from './environment.ts'
import { allowed, fileKey, written } from './field.ts'
import type { AnyField, AnySection, ValueField } from './field.ts'
import { schemaOf } from './schema.ts'

const INDENT = '  '

const introduction = `# Rollcall's config file, with every setting at its default.
#
# Remove the '# ' in front of what you want to change, and of the sections above it; leave out the rest. Check it with
# \`rollcall config check FILE\`. Durations have a unit (500ms, 30s, 15m, 1h, 7d), sizes may (256KiB, 1MiB). Relative paths
# start at this file's folder. Every setting can come from the environment: ${variableOf(['log', 'level'])}=debug.`

/** A config file with every setting in comments. */
export function exampleConfig(modules: readonly AnyModule[]): string {
  const sections = Object.entries(schemaOf(modules).fields).map(([key, field]) => exampleOf(fileKey(key, field), field, '').join('\n'))
  return `${[introduction, ...sections].join('\n\n')}\n`
}

function exampleOf(key: string, field: AnyField, indent: string): string[] {
  const comment = `# ${indent}# ${field.description}`
  switch (field.kind) {
    case 'value':
      return [`# ${indent}# ${field.description} (${allowed(field)})`, `# ${indent}${key}: ${valueText(field)}`]
    case 'list':
      return [comment, `# ${indent}${key}:`, ...field.example.map((line) => `# ${indent}${INDENT}${line}`)]
    case 'table': {
      const keys = field.keys ?? ['name']
      return [comment, `# ${indent}${key}:`, ...keys.map((inner) => `# ${indent}${INDENT}${inner}: ${valueText(field.value)}`)]
    }
    case 'section': {
      const inner = Object.entries(field.fields).flatMap(([name, child]) => exampleOf(fileKey(name, child), child, indent + INDENT))
      return [comment, `# ${indent}${key}:`, ...inner]
    }
  }
}

function valueText(field: ValueField<unknown>): string {
  return field.default === undefined ? '…' : written(field, field.default)
}

/** `docs/reference/config.md`. */
export function configReference(modules: readonly AnyModule[]): string {
  const { fields } = schemaOf(modules)
  const isPlain = (field: AnyField) => field.kind === 'value'
  const top = Object.entries(fields).filter(([, field]) => isPlain(field))
  const rest = Object.entries(fields).filter(([, field]) => !isPlain(field))
  return [
    '# Configuration',
    '',
    'Generated from the schema in server/config and the module declarations by `npm run generate`: do not edit.',
    '',
    'The config file is YAML. `rollcall config example` prints one with every setting, `rollcall config check FILE` checks one.',
    'Without `hosts` the server is a try-out: it serves `localhost` on loopback addresses and has demo accounts.',
    '',
    'Durations have a unit (`500ms`, `30s`, `15m`, `1h`, `7d`; `0` needs none). Sizes may have one (`256KiB`, `1MB`; plain numbers',
    'are bytes). Relative paths start at the config file\'s folder. Each setting can also come from the environment variable',
    'shown, which wins over the file: lists of texts are separated by commas, other lists and tables are written as YAML.',
    '',
    ...table(top, []),
    ...rest.flatMap(([key, field]) => referenceOf([fileKey(key, field)], field)),
    '',
  ].join('\n')
}

function referenceOf(path: readonly string[], field: AnyField): string[] {
  const heading = ['', `${'#'.repeat(Math.min(path.length + 1, 4))} ${path.join('.')}`, '', field.description]
  if (field.kind === 'list') {
    const lines = field.example.map((line) => INDENT + line)
    return [...heading, '', '```yaml', `${path.at(-1)}:`, ...lines, '```', '', ...fieldTable(field.item, [], '-')]
  }
  if (field.kind === 'table') {
    const keys = (field.keys ?? []).map((key) => `\`${key}\``).join(', ')
    return [...heading, '', `Keys: ${keys}. Values: ${allowed(field.value)}. Environment: \`${variableOf(path)}\`.`]
  }
  if (field.kind === 'value') return heading
  const nested = Object.entries(field.fields).filter(([, child]) => child.kind !== 'value')
  return [...heading, ...fieldTable(field, path, ''), ...nested.flatMap(([key, child]) => referenceOf([...path, fileKey(key, child)], child))]
}

function fieldTable(section: AnySection, path: readonly string[], variable: '' | '-'): string[] {
  const plain = Object.entries(section.fields).filter(([, child]) => child.kind === 'value')
  if (plain.length === 0) return []
  return [...(variable === '-' ? [] : ['']), ...table(plain, path, variable)]
}

function table(fields: readonly (readonly [string, AnyField])[], path: readonly string[], variable: '' | '-' = ''): string[] {
  const hasVariable = variable !== '-'
  const row = (...cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const head = ['Setting', 'Value', 'Default', 'Meaning', ...(hasVariable ? ['Environment'] : [])]
  const rows = fields.map(([key, field]) => {
    const name = fileKey(key, field)
    const value = field as ValueField<unknown>
    const fallback = value.default === undefined ? 'needed' : `\`${written(value, value.default)}\``
    return row(`\`${name}\``, allowed(value), fallback, field.description, ...(hasVariable ? [`\`${variableOf([...path, name])}\``] : []))
  })
  return [row(...head), row(...head.map(() => '---')), ...rows]
}
