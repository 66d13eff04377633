import { sql } from 'kysely'
import type { RunProgress } from '../../domain/ports/plan-catalog.js'
import { STAGE_OF, STATES, type State } from '../../domain/states.js'
import type { Db } from './rows.js'
import { runAbsent, runColumns, runOf, type RunRow } from './runs.js'

type StateRow = {
  readonly state: State
  readonly partitions: number
  readonly done_before: number
  readonly rows: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly flagged: number
}

/** What a run's partitions come to, from one pass over them. @throws {RUN_ABSENT} */
export async function progress(db: Db, runId: string): Promise<RunProgress> {
  const found = await sql<RunRow>`select ${runColumns} from runs where id = ${runId}`.execute(db)
  const run = found.rows[0]
  if (!run) throw runAbsent(runId)
  const { rows } = await sql<StateRow>`
    select p.state, count(*)::int as partitions, (count(*) filter (where r.already_done))::int as done_before,
      ${publishedSums}
    from run_partitions r join partitions p on p.id = r.partition_id
    where r.run_id = ${runId} group by p.state`.execute(db)
  const sum = (figure: (row: StateRow) => number, of = rows): number =>
    of.reduce((total, row) => total + figure(row), 0)
  const published = rows.filter((row) => isPublished(row.state))
  return {
    run: runOf(run),
    states: countsByState(rows),
    total: sum((row) => row.partitions),
    alreadyDone: sum((row) => (STAGE_OF[row.state] === null ? row.done_before : 0)),
    rows: sum((row) => row.rows, published),
    bytesIn: sum((row) => row.bytes_in, published),
    bytesOut: sum((row) => row.bytes_out, published),
    flagged: sum((row) => row.flagged, published),
  }
}

/** Sums over what the lake shows of rows `p`: of a run's rows in other states that is an earlier run's work. */
export const publishedSums = sql`
  coalesce(sum(p.published_rows), 0)::bigint as rows, coalesce(sum(p.source_bytes), 0)::bigint as bytes_in,
  coalesce(sum(p.published_bytes), 0)::bigint as bytes_out, (count(*) filter (where p.flagged))::int as flagged`

export const isPublished = (state: State): boolean => state === 'verified' || state === 'provisional'

/** A count for every state, 0 for those without rows. */
export function countsByState(
  rows: readonly { readonly state: State; readonly partitions: number }[],
): Record<State, number> {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>
  for (const row of rows) counts[row.state] = row.partitions
  return counts
}
