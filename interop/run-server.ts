// Stand-in for the rollcall command.
import { createReadStream, mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { loadConfig } from '../server/config/index.ts'
import { importAccounts, readImport } from '../server/core/auth/index.ts'
import { makeRuntime, makeStorage, modules, rosterOps, startServer } from '../server/main.ts'
import { nodeCrypto } from '../server/runtime/crypto.ts'

const { values, positionals } = parseArgs({ options: { config: { type: 'string' }, data: { type: 'string' } }, allowPositionals: true })
const config = loadConfig({ file: values.config, env: {}, modules, dataDir: values.data! })
const runtime = makeRuntime(config)
if (positionals[0] === 'account') {
  mkdirSync(config.dataDir, { recursive: true })
  const storage = makeStorage(config.storage, runtime.clock)
  await storage.open()
  const file = await readImport(createInterface({ input: createReadStream(positionals[2]!) }), config.core.hosts[0]!)
  await importAccounts({ storage, crypto: nodeCrypto, clock: runtime.clock }, file.accounts, {
    scramHashes: config.auth.scramHashes, iterations: config.auth.iterations, rowsOf: rosterOps(runtime.clock),
  })
  await storage.close()
} else {
  const running = await startServer(config, runtime, { shutdown() {}, reload: async () => {} })
  process.once('SIGTERM', () => void running.stop().then(() => process.exit(0)))
}
