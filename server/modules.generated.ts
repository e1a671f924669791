// Every module of the server, by folder name. Generated from modules/*/module.ts by `npm run generate`: do not edit.

import type { AnyModule } from '@rollcall/module-api'

/** Every module, sorted by folder name; which of them run is a matter of configuration. */
export const modules: readonly AnyModule[] = []
