import { sql, type RawBuilder } from 'kysely'
import type { Certificate } from '../../domain/certificate.js'
import type { PartitionFilter, PartitionSummary, QuarantineEntry } from '../../domain/ports/keeper-catalog.js'
import type { State } from '../../domain/states.js'
import { fromColumn } from './json-column.js'
import { passes } from './reports.js'
import { partitionOf, publishedColumns, publishedOf, type Db, type KeyRow, type PublishedColumns } from './rows.js'

const PAGE = 500

/** Rows in key order, a page at a time: memory does not grow with their number. */
async function* paged<R extends KeyRow>(db: Db, pageAfter: (last: R | null) => RawBuilder<R>): AsyncGenerator<R> {
  let last: R | null = null
  do {
    const { rows }: { rows: R[] } = await pageAfter(last).execute(db)
    yield* rows
    last = rows.length < PAGE ? null : (rows.at(-1) ?? null)
  } while (last)
}

const after = (last: KeyRow | null): RawBuilder<unknown> => last === null ? sql`true` : sql`
  (p.dataset, p.symbol, p.interval, p.month) > (${last.dataset}, ${last.symbol}, ${last.interval}, ${last.month})`

const inOrder = sql`order by p.dataset, p.symbol, p.interval, p.month limit ${PAGE}`

type SummaryRow = KeyRow & PublishedColumns & {
  readonly state: State
  readonly generation: number
  readonly code: string | null
  readonly message: string | null
  readonly flagged: boolean
  readonly certificate: unknown
  readonly updated_at: Date
}

export async function* partitions(db: Db, filter: PartitionFilter): AsyncGenerator<PartitionSummary> {
  const pages = paged<SummaryRow>(db, (last) => sql`
    select p.dataset, p.symbol, p.interval, p.month, p.state, p.generation, p.code, p.message, p.flagged, p.updated_at,
      c.certificate, ${publishedColumns}
    from partitions p left join certificates c on c.partition_id = p.id
    where ${passes(filter)} and ${after(last)} ${inOrder}`)
  for await (const row of pages) {
    const { state, generation, code, message, flagged, certificate } = row
    yield {
      partition: partitionOf(row), state, generation, published: publishedOf(row), code, message, flagged,
      certificate: certificate === null ? null : fromColumn<Certificate>(certificate), updatedAt: row.updated_at,
    }
  }
}

type QuarantineRow = KeyRow & PublishedColumns & Omit<QuarantineEntry, 'partition' | 'published'>

export async function* quarantine(db: Db, filter: PartitionFilter): AsyncGenerator<QuarantineEntry> {
  const pages = paged<QuarantineRow>(db, (last) => sql`
    select p.dataset, p.symbol, p.interval, p.month, q.generation, q.code, q.message, q.facts, q.kept, q.since,
      ${publishedColumns}
    from quarantine q join partitions p on p.id = q.partition_id
    where ${passes(filter)} and ${after(last)} ${inOrder}`)
  for await (const row of pages) {
    const { generation, code, message, facts, kept, since } = row
    yield { partition: partitionOf(row), generation, code, message, facts, kept, since, published: publishedOf(row) }
  }
}
