// The list of all modules as static imports: the server sees what it loads at a glance, and tools that follow
// imports (type checker, bundlers, the import rules) see it too.

import type { AnyModule } from '@rollcall/module-api'

/** `server/modules.generated.ts` for the modules at `paths` (`modules/<name>/module.ts`, sorted). */
export function moduleList(paths: readonly string[]): string {
  const names = paths.map((path) => camelCase(folderOf(path)))
  const imports = paths.map((path, index) => `import ${names[index]} from '../${path}'`)
  return [
    '// Every module of the server, by folder name. Generated from modules/*/module.ts by `npm run generate`: do not edit.',
    '',
    `import type { AnyModule } from '@rollcall/module-api'`,
    ...imports,
    '',
    '/** Every module, sorted by folder name; which of them run is a matter of configuration. */',
    `export const modules: readonly AnyModule[] = [${names.map((name) => `\n  ${name},`).join('')}${names.length > 0 ? '\n' : ''}]`,
    '',
  ].join('\n')
}

/** The module that the file at `path` exports by default; throws an `Error` when its name is not its folder's. */
export function defaultExport(path: string, exports: { default?: AnyModule }): AnyModule {
  const declared = exports.default
  if (declared === undefined) throw new Error(`${path} has no default export: export default defineModule({ … })`)
  if (declared.name !== folderOf(path)) throw new Error(`${path} declares the name ${declared.name}, which is not its folder's`)
  return declared
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? ''
}

/** A folder name as an identifier; `Module` is appended so that no reserved word (`private`) comes out. */
function camelCase(folder: string): string {
  return `${folder.replace(/-(\w)/g, (_match, letter: string) => letter.toUpperCase())}Module`
}
