/** That archives are searchable; there is nothing to call. */
import { definePort } from '@rollcall/ports'

export interface ArchiveSearch {
  readonly isOn: true
}
export const ArchiveSearch = definePort<ArchiveSearch>('archiveSearch')
