// Every module of the server, by folder name. Generated from modules/*/module.ts by `npm run generate`: do not edit.

import type { AnyModule } from '@rollcall/module-api'
import archiveSearchModule from '../modules/archive-search/module.ts'
import archiveModule from '../modules/archive/module.ts'
import avatarConversionModule from '../modules/avatar-conversion/module.ts'
import blockingModule from '../modules/blocking/module.ts'
import capsModule from '../modules/caps/module.ts'
import carbonsModule from '../modules/carbons/module.ts'
import clientAccessModule from '../modules/client-access/module.ts'
import commandsModule from '../modules/commands/module.ts'
import contactAddressesModule from '../modules/contact-addresses/module.ts'
import csiModule from '../modules/csi/module.ts'
import delayModule from '../modules/delay/module.ts'
import discoModule from '../modules/disco/module.ts'
import displayedSyncModule from '../modules/displayed-sync/module.ts'
import entityTimeModule from '../modules/entity-time/module.ts'
import lastActivityModule from '../modules/last-activity/module.ts'
import pepModule from '../modules/pep/module.ts'
import pingModule from '../modules/ping/module.ts'
import presenceModule from '../modules/presence/module.ts'
import privateStorageModule from '../modules/private-storage/module.ts'
import pushModule from '../modules/push/module.ts'
import registrationModule from '../modules/registration/module.ts'
import rosterModule from '../modules/roster/module.ts'
import serviceAdminModule from '../modules/service-admin/module.ts'
import spamReportingModule from '../modules/spam-reporting/module.ts'
import vcardModule from '../modules/vcard/module.ts'
import versionModule from '../modules/version/module.ts'
import webPushModule from '../modules/web-push/module.ts'

/** Every module, sorted by folder name; which of them run is a matter of configuration. */
export const modules: readonly AnyModule[] = [
  archiveSearchModule,
  archiveModule,
  avatarConversionModule,
  blockingModule,
  capsModule,
  carbonsModule,
  clientAccessModule,
  commandsModule,
  contactAddressesModule,
  csiModule,
  delayModule,
  discoModule,
  displayedSyncModule,
  entityTimeModule,
  lastActivityModule,
  pepModule,
  pingModule,
  presenceModule,
  privateStorageModule,
  pushModule,
  registrationModule,
  rosterModule,
  serviceAdminModule,
  spamReportingModule,
  vcardModule,
  versionModule,
  webPushModule,
]
