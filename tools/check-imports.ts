// Checks the import rules of the whole repository: layers, cycles and ambient time, randomness and I/O.
// Prints `file:line  rule  message` for each broken rule and exits 1 if there is one.

import { checkAmbient } from './imports/ambient-rule.ts'
import { checkCycles } from './imports/cycle-rule.ts'
import { listImports } from './imports/import-list.ts'
import { checkLayers } from './imports/layer-rules.ts'
import { readSourceFiles, report, repositoryRoot } from './source-files.ts'

const files = readSourceFiles(repositoryRoot).map(listImports)
report('imports', [...checkLayers(files), ...checkCycles(files), ...checkAmbient(files)], files.length)
