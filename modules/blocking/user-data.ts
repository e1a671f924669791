/** The block list as import and export of whole accounts carry it; for accounts that nobody is connected to. */
import { keyvalStore } from '@rollcall/module-api'
import type { Jid } from '@rollcall/jid'
import { openStore } from '@rollcall/ports'
import type { StorageBackend } from '@rollcall/ports'
import { BlockList } from './block-list.ts'

/** Texts of the addresses. */
export const blockListStore = keyvalStore<readonly string[]>('block_list')

export function blockListData(storage: StorageBackend) {
  const store = openStore(storage, blockListStore)
  return {
    async read(account: Jid): Promise<readonly Jid[]> {
      return BlockList.fromTexts((await store.get(account.toString())) ?? []).jids
    },
    async write(account: Jid, blocked: readonly Jid[]): Promise<void> {
      await store.set(account.toString(), new BlockList(blocked).texts)
    },
  }
}
