import { sql } from 'kysely'
import type { Series } from '../../../domain/partition.js'
import type { WarmMonth } from '../../../domain/ports/hot-store.js'
import { scanOf, monthBounds } from '../../../domain/query-plan.js'
import type { Slice } from '../../../domain/slice.js'
import { isShown, partitionOf, type Db, type KeyRow } from '../rows.js'

type Row = KeyRow & { key: string; etag: string; bytes: number; provisional: boolean }

/** What the lake shows of a series, whatever became of later work on it. */
export async function warmMonths(db: Db, at: Series | Slice): Promise<readonly WarmMonth[]> {
  const { first, last } = 'fromUs' in at ? monthBounds(scanOf(at).range) : { first: null, last: null }
  const { rows } = await sql<Row>`
    select p.dataset, p.symbol, p."interval", p.month, p.published_key as key, p.published_etag as etag,
      p.published_bytes as bytes, coalesce(c.certificate ->> 'verdict', '') <> 'verified' as provisional
    from partitions p left join certificates c on c.partition_id = p.id
    where p.dataset = ${at.dataset} and p.symbol = ${at.symbol} and p."interval" = ${at.interval} and ${isShown}
      and p.month between ${first ?? ''} and ${last ?? '~'} order by p.month`.execute(db)
  return rows.map(({ key, etag, bytes, provisional, ...row }) => (
    { object: { partition: partitionOf(row), key, etag, bytes }, provisional }
  ))
}
