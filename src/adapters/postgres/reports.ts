import { sql, type RawBuilder } from 'kysely'
import type { KeeperCatalog, PartitionFilter } from '../../domain/ports/keeper-catalog.js'
import type { Stage, State } from '../../domain/states.js'
import { countsByState, isPublished, publishedSums } from './progress.js'
import { isShown, stageOfRow, unfinishedStates, type Db } from './rows.js'

/** The condition that a row `p` passes the filter; an empty list lets nothing pass. */
export function passes(filter: PartitionFilter = {}): RawBuilder<boolean> {
  const { datasets, symbols, intervals, months, states, published, changedSince } = filter
  const columns = { dataset: datasets, symbol: symbols, interval: intervals, month: months, state: states }
  const conditions = Object.entries(columns).flatMap(([name, values]) =>
    values === undefined ? [] : [sql<boolean>`${sql.ref(`p.${name}`)} = any (${[...values]}::text[])`])
  if (published) conditions.push(isShown)
  if (changedSince !== undefined) conditions.push(sql<boolean>`p.updated_at >= ${changedSince}`)
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` and `)}`
}

export async function states(db: Db, filter?: PartitionFilter): Promise<Readonly<Record<State, number>>> {
  const { rows } = await sql<{ state: State; partitions: number }>`
    select p.state, count(*)::int as partitions from partitions p where ${passes(filter)} group by p.state`.execute(db)
  return countsByState(rows)
}

export async function unfinished(db: Db): Promise<Readonly<Record<Stage, number>>> {
  const { rows } = await sql<{ stage: Stage; partitions: number }>`
    select ${stageOfRow} as stage, count(*)::int as partitions from partitions p
    where p.state in ${unfinishedStates} group by 1`.execute(db)
  const counts = { download: 0, convert: 0, upload: 0, verify: 0 }
  for (const row of rows) counts[row.stage] = row.partitions
  return counts
}

type Summary = Awaited<ReturnType<KeeperCatalog['summary']>>[number]
type SummaryRow = Omit<Summary, 'bytesIn' | 'bytesOut'> & { readonly bytes_in: number; readonly bytes_out: number }

export async function summary(db: Db, runId?: string): Promise<readonly Summary[]> {
  const ofRun = runId === undefined ? sql`` : sql`
    join run_partitions r on r.partition_id = p.id and r.run_id = ${runId}`
  const { rows } = await sql<SummaryRow>`
    select p.dataset, p.interval, p.state, count(*)::int as partitions,
      (count(*) filter (where ${isShown}))::int as published, ${publishedSums} from partitions p ${ofRun}
    group by p.dataset, p.interval, p.state order by p.dataset, p.interval, p.state`.execute(db)
  return rows.map((row) => {
    const { dataset, interval, state, partitions, published } = row
    const counts = runId === undefined || isPublished(state)
    const [count, bytesIn, bytesOut] = counts ? [row.rows, row.bytes_in, row.bytes_out] : [0, 0, 0]
    return { dataset, interval, state, partitions, published, rows: count, bytesIn, bytesOut }
  })
}
