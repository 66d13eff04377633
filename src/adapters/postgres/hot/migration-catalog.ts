import { sql, type Kysely } from 'kysely'
import { hotKeyOf } from '../../../domain/hot-source.js'
import type { MigrationReport, StoredReport } from '../../../domain/migration.js'
import type { MigrationCatalog } from '../../../domain/ports/migration-catalog.js'
import { fromColumn, jsonText } from '../json-column.js'
import { passes } from '../reports.js'
import { freed, partitionOf, type KeyRow } from '../rows.js'
import { lockPlanning } from '../runs.js'

/** Reports of a month that are kept: those that name differences, and those that name none. */
const KEPT = { differing: 20, same: 2 }

/** What migrations record and start, over the catalog's pool. */
export function migrationCatalog(db: Kysely<unknown>): MigrationCatalog {
  return {
    build: (o) => build(db, o),
    record: (report) => record(db, report),
    reports: async (filter, afterId = 0) => {
      const { rows } = await sql<ReportRow>`select p.* from hot_reports p where ${passes(filter)} and p.id > ${afterId}
        order by p.id desc`.execute(db)
      return rows.map(reportOf)
    },
    newestReport: async () => {
      const { rows } = await sql<{ id: number }>`select coalesce(max(id), 0) as id from hot_reports`.execute(db)
      return rows[0]?.id ?? 0
    },
  }
}

async function build(
  db: Kysely<unknown>, { partition: p, sources }: Parameters<MigrationCatalog['build']>[0],
): ReturnType<MigrationCatalog['build']> {
  const work = jsonText({ wanted: sources, bounds: null })
  return await db.transaction().execute(async (trx) => {
    await lockPlanning('shared').execute(trx)
    const { rows } = await sql<{ generation: number }>`
      insert into partitions as p (dataset, symbol, "interval", month, kind, work)
      values (${p.dataset}, ${p.symbol}, ${p.interval}, ${p.month}, 'incremental', ${work}::jsonb)
      on conflict (dataset, symbol, "interval", month) do update set generation = p.generation + 1, state = 'planned',
        kind = excluded.kind, work = excluded.work, staged_bytes = 0, crashes = 0, code = null, message = null,
        facts = null, ended_stage = null, ended_attempt = null, ${freed}
      where p.state in ('provisional', 'late', 'absent', 'failed', 'cancelled') and not exists (
        select from certificates c where c.partition_id = p.id and p.published_key is not null and (
          c.certificate ->> 'verdict' = 'verified'
          or c.certificate #>> '{data,sources,0,key}' is distinct from ${hotKeyOf(p)}))
      returning p.generation`.execute(trx)
    return rows[0] ?? null
  })
}

/** Those that name differences outlive any number of later ones that name none. */
async function record(db: Kysely<unknown>, report: MigrationReport): Promise<void> {
  const { partition: p, etag, hotRows, warmRows, differing, columns, differences } = report
  await db.transaction().execute(async (trx) => {
    await sql`
      insert into hot_reports (dataset, symbol, "interval", month, etag, hot_rows, warm_rows, differing, columns, differences)
      values (${p.dataset}, ${p.symbol}, ${p.interval}, ${p.month}, ${etag}, ${hotRows}, ${warmRows}, ${differing},
        ${jsonText(columns)}::jsonb, ${jsonText(differences)}::jsonb)`.execute(trx)
    await sql`
      with of_month as (select id, differing,
          row_number() over (partition by differing > 0 order by id desc) as n from hot_reports
        where dataset = ${p.dataset} and symbol = ${p.symbol} and "interval" = ${p.interval} and month = ${p.month})
      delete from hot_reports r using of_month m where r.id = m.id
        and m.n > case when m.differing > 0 then ${KEPT.differing}::int else ${KEPT.same}::int end`.execute(trx)
  })
}

type ReportRow = KeyRow & {
  readonly id: number
  readonly etag: string
  readonly hot_rows: number
  readonly warm_rows: number
  readonly differing: number
  readonly columns: unknown
  readonly differences: unknown
  readonly at: Date
}

const reportOf = (row: ReportRow): StoredReport => ({
  id: row.id, partition: partitionOf(row), etag: row.etag, hotRows: row.hot_rows, warmRows: row.warm_rows, differing: row.differing,
  columns: fromColumn<StoredReport['columns']>(row.columns), at: row.at,
  differences: fromColumn<StoredReport['differences']>(row.differences),
})
