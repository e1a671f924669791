/**
 * Deletes whole archives a little at a time.
 *
 * A discarded archive loses its owner at once, with the write that asked for it, and nobody finds its entries any more.
 * They are deleted in later transactions of a bounded number of rows, so that a large account does not hold up the others;
 * what is left when the server stops goes when it runs again.
 */
import type { Database } from './database.ts'

/** Rows deleted in one transaction: entries, and segments, which are wider. */
const ENTRIES = 500
const SEGMENTS = 50

export class Trash {
  readonly #database: Database
  /** Nothing is known to be there. */
  isEmpty = false

  constructor(database: Database) {
    this.#database = database
  }

  /** `last`: number of the last entry of the journal, in which nothing up to there is the archive's any more. */
  put(archive: number, last: number): void {
    // No store has a negative number and no entity an empty address.
    this.#database.prepare("UPDATE archive SET owner = '', store = -id, folded = ? WHERE id = ?").run(last, archive)
    this.isEmpty = false
  }

  /** In the transaction under way. */
  deleteSome(): void {
    if (this.isEmpty) return
    const row = this.#database.prepare("SELECT id FROM archive WHERE owner = '' AND store < 0 LIMIT 1").get() as unknown as [number] | undefined
    if (row === undefined) this.isEmpty = true
    else if (this.#deleteRows(row[0]) === 0) this.#database.prepare('DELETE FROM archive WHERE id = ?').run(row[0])
  }

  #deleteRows(archive: number): number {
    const statements = [
      `DELETE FROM entry WHERE seq IN (SELECT seq FROM entry INDEXED BY entry_order WHERE archive = ? LIMIT ${ENTRIES})`,
      `DELETE FROM segment WHERE seq IN (SELECT seq FROM segment INDEXED BY segment_order WHERE archive = ? LIMIT ${SEGMENTS})`,
      `DELETE FROM segment_peer WHERE archive = ?1 AND (peer, seq) IN (SELECT peer, seq FROM segment_peer WHERE archive = ?1 LIMIT ${ENTRIES})`,
    ]
    let deleted = 0
    for (const sql of statements) deleted += Number(this.#database.prepare(sql).run(archive).changes)
    return deleted
  }
}
