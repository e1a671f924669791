/** XEP-0092: Software Version, version 1.1. */
import { childText } from './child.ts'
import { element } from './codec.ts'
import type { Infer } from './codec.ts'

export const NS_VERSION = 'jabber:iq:version'

/** Request (empty) and result. `name` and `version` belong to every result. */
export const VersionQuery = element(NS_VERSION, 'query', {
  name: childText('name').optional(),
  version: childText('version').optional(),
  os: childText('os').optional(),
})
export type VersionQuery = Infer<typeof VersionQuery>
