/**
 * The configuration of a node (XEP-0060 §16.4.4): one table says how each option is called, shown, read and written.
 *
 * Forms and preconditions name options by their field; unlike other typed forms a submitted one changes only what it
 * names, and a wrong value has its own error, so the table is not a `form()` declaration.
 */
import type { DataForm, DataFormInput } from '@rollcall/protocol'

/** §4.5, in order of openness. `authorize` is not supported. */
export const accessModels = {
  open: 'Everybody', presence: 'Contacts who may see the presence', roster: 'Contacts in some groups', whitelist: 'Members',
} as const
export type AccessModel = keyof typeof accessModels
const publishModels = { publishers: 'Publishers', subscribers: 'Subscribers', open: 'Everybody' } as const
const sendLastChoices = { never: 'Never', on_sub: 'To new subscribers', on_sub_and_presence: 'To new subscribers and to those who come online' } as const
const fullChoices = {
  'retract-oldest': 'Delete the oldest item and tell so', 'discard-oldest': 'Delete the oldest item silently', 'reject': 'Refuse the new item',
} as const
const notificationTypes = { headline: 'Headlines', normal: 'Normal messages' } as const

/** A whole number, or `max` for as much as the service allows. */
export type Count = number | 'max'

export interface NodeConfig {
  readonly title: string
  readonly description: string
  readonly language: string
  /** Namespace of the payloads; '' when anything goes. */
  readonly type: string
  readonly accessModel: AccessModel
  readonly rosterGroups: readonly string[]
  readonly publishModel: keyof typeof publishModels
  readonly persistItems: boolean
  readonly maxItems: Count
  /** Seconds after which items go by themselves. */
  readonly itemExpire: Count
  /** Bytes. */
  readonly maxPayloadSize: Count
  readonly sendLast: keyof typeof sendLastChoices
  readonly whenFull: keyof typeof fullChoices
  readonly deliverNotifications: boolean
  readonly deliverPayloads: boolean
  readonly notifyConfig: boolean
  readonly notifyDelete: boolean
  readonly notifyRetract: boolean
  readonly notificationType: keyof typeof notificationTypes
}

/** What nodes of accounts get: XEP-0163 §5, and one item, the latest event. */
export const pepDefaults: NodeConfig = {
  title: '', description: '', language: '', type: '', accessModel: 'presence', rosterGroups: [], publishModel: 'publishers',
  persistItems: true, maxItems: 1, itemExpire: 'max', maxPayloadSize: 'max', sendLast: 'on_sub_and_presence', whenFull: 'retract-oldest',
  deliverNotifications: true, deliverPayloads: true, notifyConfig: false, notifyDelete: true, notifyRetract: true, notificationType: 'headline',
}

/** Values of fields that are no values of theirs, or fields that nobody knows. */
export class ConfigProblem extends Error {}

interface ConfigField {
  readonly var: string
  readonly type: 'boolean' | 'list-single' | 'text-single' | 'text-multi'
  readonly label: string
  readonly options: readonly { readonly label: string; readonly value: string }[]
  /** Throws ConfigProblem. */
  read(values: readonly string[]): Partial<NodeConfig>
  write(config: NodeConfig): readonly string[]
}

type KeysOf<T> = { [K in keyof NodeConfig]: NodeConfig[K] extends T ? K : never }[keyof NodeConfig]

function single(name: string, values: readonly string[]): string {
  if (values.length > 1) throw new ConfigProblem(`${name} has one value`)
  return values[0] ?? ''
}

function flagField(name: string, key: KeysOf<boolean>, label: string): ConfigField {
  return {
    var: name, type: 'boolean', label, options: [],
    read(values) {
      const text = single(name, values)
      if (text === '1' || text === 'true') return { [key]: true }
      if (text === '0' || text === 'false') return { [key]: false }
      throw new ConfigProblem(`${name} is true or false`)
    },
    write: (config) => [config[key] ? '1' : '0'],
  }
}

function textField(name: string, key: 'title' | 'description' | 'language' | 'type', label: string): ConfigField {
  return { var: name, type: 'text-single', label, options: [], read: (values) => ({ [key]: single(name, values) }), write: (config) => [config[key]] }
}

function countField(name: string, key: 'maxItems' | 'itemExpire' | 'maxPayloadSize', label: string): ConfigField {
  return {
    var: name, type: 'text-single', label, options: [],
    read(values) {
      const text = single(name, values)
      if (text === 'max') return { [key]: 'max' }
      if (!/^[1-9]\d{0,14}$/.test(text)) throw new ConfigProblem(`${name} is a whole number from 1, or max`)
      return { [key]: Number(text) }
    },
    write: (config) => [String(config[key])],
  }
}

function choiceField(
  name: string, key: 'accessModel' | 'publishModel' | 'sendLast' | 'whenFull' | 'notificationType', label: string, choices: Readonly<Record<string, string>>,
): ConfigField {
  return {
    var: name, type: 'list-single', label, options: Object.entries(choices).map(([value, text]) => ({ label: text, value })),
    read(values) {
      const text = single(name, values)
      if (!Object.hasOwn(choices, text)) throw new ConfigProblem(`${name} is one of ${Object.keys(choices).join(', ')}`)
      return { [key]: text }
    },
    write: (config) => [config[key]],
  }
}

/** §16.4.4. Fields that stand for no choice here are known, so that what asks for just this is not refused. */
function fixedField(name: string, label: string, value: string): ConfigField {
  return {
    var: name, type: 'text-single', label, options: [],
    read(values) {
      if (single(name, values) !== value) throw new ConfigProblem(`${name} is ${value}`)
      return {}
    },
    write: () => [value],
  }
}

const fields: readonly ConfigField[] = [
  textField('pubsub#title', 'title', 'Title'),
  textField('pubsub#description', 'description', 'Description'),
  textField('pubsub#language', 'language', 'Language'),
  textField('pubsub#type', 'type', 'Namespace of the payloads'),
  fixedField('pubsub#node_type', 'Kind of node', 'leaf'),
  choiceField('pubsub#access_model', 'accessModel', 'Who may subscribe and read', accessModels),
  {
    var: 'pubsub#roster_groups_allowed', type: 'text-multi', label: 'Groups of contacts who may subscribe and read', options: [],
    read: (values) => ({ rosterGroups: [...new Set(values.filter((value) => value !== ''))] }), write: (config) => config.rosterGroups,
  },
  choiceField('pubsub#publish_model', 'publishModel', 'Who may publish', publishModels),
  flagField('pubsub#persist_items', 'persistItems', 'Keep items'),
  countField('pubsub#max_items', 'maxItems', 'Items that are kept'),
  countField('pubsub#item_expire', 'itemExpire', 'Seconds until an item is deleted'),
  countField('pubsub#max_payload_size', 'maxPayloadSize', 'Bytes of the largest payload'),
  choiceField('pubsub#send_last_published_item', 'sendLast', 'When to send the last item', sendLastChoices),
  choiceField('pubsub#publish_node_full', 'whenFull', 'What happens when the node is full', fullChoices),
  flagField('pubsub#deliver_notifications', 'deliverNotifications', 'Tell subscribers about events'),
  flagField('pubsub#deliver_payloads', 'deliverPayloads', 'Send payloads along'),
  flagField('pubsub#notify_config', 'notifyConfig', 'Tell when the configuration changes'),
  flagField('pubsub#notify_delete', 'notifyDelete', 'Tell when the node is deleted'),
  flagField('pubsub#notify_retract', 'notifyRetract', 'Tell when items are deleted'),
  choiceField('pubsub#notification_type', 'notificationType', 'Kind of messages', notificationTypes),
]
const byVar = new Map(fields.map((field) => [field.var, field]))

/** What service discovery tells about a node, of all there is (§5.4). */
const publicVars = new Set([
  'pubsub#title', 'pubsub#description', 'pubsub#language', 'pubsub#type', 'pubsub#access_model', 'pubsub#publish_model', 'pubsub#max_items',
])

/** The form to fill in (§8.2.2), or a result that shows everything. */
export function configForm(config: NodeConfig, formType: string, type: 'form' | 'result'): DataFormInput {
  return { type, ...(type === 'form' && { title: 'Configuration of the node' }), fields: [head(formType), ...fields.map((field) => shown(field, config))] }
}

/** The part of the configuration that everybody may see who may read (§5.4). */
export function publicFields(config: NodeConfig): NonNullable<DataFormInput['fields']>[number][] {
  return fields.filter((field) => publicVars.has(field.var))
    .map((field) => ({ var: field.var, type: field.type, label: field.label, values: field.write(config) }))
}

function head(formType: string) {
  return { var: 'FORM_TYPE', type: 'hidden', values: [formType] } as const
}

function shown({ var: name, type, label, options, write }: ConfigField, config: NodeConfig) {
  return { var: name, type, label, options, values: [...write(config)] }
}

/** The configuration with what the form names changed; fields that nobody knows are skipped. Throws ConfigProblem. */
export function configured(config: NodeConfig, form: DataForm): NodeConfig {
  const changes = form.fields.map((field) => byVar.get(field.var ?? '')?.read(field.values))
  return Object.assign({}, config, ...changes) as NodeConfig
}

/** The options that a form of preconditions asks for (§7.1.5). Throws ConfigProblem for fields that nobody knows, too. */
export function preconditions(form: DataForm): Partial<NodeConfig> {
  const asked = form.fields.filter((field) => field.var !== 'FORM_TYPE').map((field) => {
    const known = byVar.get(field.var ?? '')
    if (known === undefined) throw new ConfigProblem(`${field.var ?? 'a field without a name'} is not known`)
    return known.read(field.values)
  })
  return Object.assign({}, ...asked) as Partial<NodeConfig>
}

/** Whether the node is as the preconditions say. Counts above the limits of the service are the same as `max`. */
export function meets(config: NodeConfig, asked: Partial<NodeConfig>, limits: CountLimits): boolean {
  const [is, wanted] = [clamped(config, limits), clamped({ ...config, ...asked }, limits)]
  return (Object.keys(asked) as (keyof NodeConfig)[]).every((key) => isSame(is[key], wanted[key]))
}

/** What `max` stands for. */
export interface CountLimits {
  readonly itemsMax: number
  readonly itemBytesMax: number
}

/** The same with counts that say no more than `max` written so. */
function clamped(config: NodeConfig, { itemsMax, itemBytesMax }: CountLimits): NodeConfig {
  const clamp = (count: Count, limit: number): Count => (count !== 'max' && count < limit ? count : 'max')
  return { ...config, maxItems: clamp(config.maxItems, itemsMax), maxPayloadSize: clamp(config.maxPayloadSize, itemBytesMax) }
}

function isSame(one: NodeConfig[keyof NodeConfig], other: NodeConfig[keyof NodeConfig]): boolean {
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((value: string) => other.includes(value))
  return one === other
}

/** How many items the node keeps. */
export function itemLimit({ maxItems }: NodeConfig, { itemsMax }: CountLimits): number {
  return maxItems === 'max' ? itemsMax : Math.min(maxItems, itemsMax)
}

/** What differs from the defaults, for storage. */
export function sparse(config: NodeConfig): Partial<NodeConfig> {
  const keys = (Object.keys(config) as (keyof NodeConfig)[]).filter((key) => !isSame(config[key], pepDefaults[key]))
  return Object.fromEntries(keys.map((key) => [key, config[key]]))
}
