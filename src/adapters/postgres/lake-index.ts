import { sql, type RawBuilder } from 'kysely'
import type { LakeIndex } from '../../domain/ports/lake-index.js'
import { monthBounds, type LakeObject, type Scan } from '../../domain/query-plan.js'
import { isShown, partitionOf, type Db, type KeyRow } from './rows.js'

type Row = KeyRow & { readonly key: string; readonly etag: string; readonly bytes: number }

/** What the catalog says is published, narrowed by the scan: one statement, by the key of the table. */
export function lakeIndex(db: Db): LakeIndex {
  return {
    objects: async (scan) => {
      const { rows } = await sql<Row>`
        select p.dataset, p.symbol, p."interval", p.month, p.published_key as key, p.published_etag as etag,
          p.published_bytes as bytes
        from partitions p
        where ${wanted(scan)} and ${isShown}`.execute(db)
      return rows.map((row): LakeObject => ({
        partition: partitionOf(row),
        key: row.key,
        etag: row.etag,
        bytes: row.bytes,
      }))
    },
  }
}

function wanted({ dataset, symbols, intervals, range }: Scan): RawBuilder<boolean> {
  const { first, last } = monthBounds(range)
  return sql<boolean>`${sql.join(
    [
      sql`p.dataset = ${dataset}`,
      ...(symbols === null ? [] : [sql`p.symbol = any (${[...symbols]}::text[])`]),
      ...(intervals === null ? [] : [sql`p."interval" = any (${[...intervals]}::text[])`]),
      ...(first === null ? [] : [sql`p.month >= ${first}`]),
      ...(last === null ? [] : [sql`p.month <= ${last}`]),
    ],
    sql` and `,
  )}`
}
