import { sql, type Kysely } from 'kysely'
import { verdictOf } from '../../domain/findings.js'
import type { RestoredPartition } from '../../domain/ports/keeper-catalog.js'
import { STAGE_OF, type State } from '../../domain/states.js'
import { jsonText, plainText } from './json-column.js'
import { upsertedGaps, upsertedSources } from './published-lists.js'
import { isPartition, settledWork, type Db } from './rows.js'
import { lockPlanning } from './runs.js'

type Found = {
  readonly id: number
  readonly generation: number
  readonly state: State
  readonly updated_at: Date
  readonly issued_at: string | null
}

/**
 * Takes a published partition from the lake into the catalog. A row that is on its way, or that something changed since
 * the certificate was issued, stays. One that is replaced keeps its id, which runs know it by. The locks are those that
 * `whileUnnamed` waits for: an object that is there under them stays until its row is committed.
 */
export function restore(
  db: Kysely<unknown>, o: RestoredPartition, isThere: () => Promise<boolean>, dryRun: boolean,
): Promise<'added' | 'replaced' | 'kept' | 'gone'> {
  return db.transaction().execute(async (trx) => {
    await lockPlanning('shared').execute(trx)
    const { rows } = await sql<Found>`
      select p.id, p.generation, p.state, p.updated_at, c.certificate ->> 'issuedAt' as issued_at
      from partitions p left join certificates c on c.partition_id = p.id
      where ${isPartition(o.partition)} for update of p`.execute(trx)
    const found = rows[0]
    if (found && !isOlder(found, o)) return 'kept'
    if (!(await isThere())) return 'gone'
    if (!dryRun && found) await sql`delete from partitions where id = ${found.id}`.execute(trx)
    if (!dryRun && !(await insert(trx, o, found))) return 'kept'
    return found ? 'replaced' : 'added'
  })
}

const isOlder = (row: Found, { certificate }: RestoredPartition): boolean => STAGE_OF[row.state] === null
  && row.issued_at !== certificate.issuedAt && row.updated_at.getTime() < Date.parse(certificate.issuedAt)

async function insert(db: Db, o: RestoredPartition, found: Found | undefined): Promise<boolean> {
  const { partition: p, published, certificate, sources, bounds } = o
  const generation = Math.max(certificate.generation, found?.generation ?? 1)
  const downloaded = { folder: '', sources, files: [] }
  const work = settledWork({ wanted: [], bounds, downloaded })
  const id = found ? sql`${found.id}` : sql`nextval(pg_get_serial_sequence('partitions', 'id'))`
  const { rows } = await sql`
    with done as (
      insert into partitions (id, dataset, symbol, "interval", month, kind, state, generation, flagged, work,
        source_bytes, published_key, published_etag, published_bytes, published_sha256, published_rows,
        published_revision)
      overriding system value
      values (${id}, ${p.dataset}, ${p.symbol}, ${p.interval}, ${p.month}, 'backfill', ${certificate.verdict},
        ${generation}, ${verdictOf(certificate.findings) === 'flag'}, ${jsonText(work)}::jsonb,
        ${sources.reduce((sum, source) => sum + source.bytes, 0)}, ${plainText(published.key)},
        ${plainText(published.etag)}, ${published.bytes}, ${published.sha256Hex}, ${published.rows},
        ${published.revision})
      on conflict (dataset, symbol, "interval", month) do nothing
      returning id
    ), certified as (
      insert into certificates (partition_id, certificate) select id, ${jsonText(certificate)}::jsonb from done
    ), sourced as (${upsertedSources(sources)}), gapped as (${upsertedGaps(certificate.gaps)})
    select id from done`.execute(db)
  return rows.length > 0
}
