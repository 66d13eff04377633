import { sql } from 'kysely'
import type { RunProgress } from '../../domain/ports/plan-catalog.js'
import { STAGE_OF, STATES, type State } from '../../domain/states.js'
import { publishedStates, type Db } from './rows.js'
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
    select p.state, count(*)::int as partitions, count(*) filter (where r.already_done)::int as done_before, ${publishedSums}
    from run_partitions r join partitions p on p.id = r.partition_id
    where r.run_id = ${runId} group by p.state`.execute(db)
  const sum = (figure: (row: StateRow) => number): number => rows.reduce((total, row) => total + figure(row), 0)
  return {
    run: runOf(run),
    states: countsByState(rows),
    total: sum((row) => row.partitions),
    alreadyDone: sum((row) => (STAGE_OF[row.state] === null ? row.done_before : 0)),
    rows: sum((row) => row.rows),
    bytesIn: sum((row) => row.bytes_in),
    bytesOut: sum((row) => row.bytes_out),
    flagged: sum((row) => row.flagged),
  }
}

/** Figures of rows `p` that are in the lake now: those of a revision that is being replaced do not count. */
export const publishedSums = sql`
  coalesce(sum(p.published_rows) filter (where p.state in ${publishedStates}), 0)::bigint as rows,
  coalesce(sum(p.source_bytes) filter (where p.state in ${publishedStates}), 0)::bigint as bytes_in,
  coalesce(sum(p.published_bytes) filter (where p.state in ${publishedStates}), 0)::bigint as bytes_out,
  count(*) filter (where p.flagged and p.state in ${publishedStates})::int as flagged`

/** A count for every state, 0 for those without rows. */
export function countsByState(rows: readonly { readonly state: State; readonly partitions: number }[]): Record<State, number> {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>
  for (const row of rows) counts[row.state] = row.partitions
  return counts
}
