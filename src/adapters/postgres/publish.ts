import { sql, type Kysely } from 'kysely'
import { verdictOf } from '../../domain/findings.js'
import type { Claim, Verified } from '../../domain/ports/stage-catalog.js'
import type { Published } from '../../domain/work.js'
import { jsonText, plainText } from './json-column.js'
import { upsertedGaps, upsertedSources } from './published-lists.js'
import { freed, isHeldBy, publishedColumns, publishedOf, settledWork, type Db, type PublishedColumns } from './rows.js'

/**
 * Locks the row, runs the effect, records it, in one transaction. What the effect throws is thrown on, and nothing is
 * recorded; a connection that broke in the meantime is found out by the statement that records.
 */
export function publish(
  db: Kysely<unknown>, claimed: Claim, effect: (published: Published | null) => Promise<Verified>,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    const { rows } = await sql<PublishedColumns>`
      select ${publishedColumns} from partitions p
      where ${isHeldBy(claimed)} and p.state = 'verifying' for update`.execute(trx)
    const row = rows[0]
    if (!row) return false
    await record(trx, claimed, await effect(publishedOf(row)))
    return true
  })
}

async function record(db: Db, claimed: Claim, { state, published, certificate }: Verified): Promise<void> {
  const { key, etag, bytes, sha256Hex, rows, revision } = published
  const sources = claimed.work.downloaded?.sources ?? []
  const { gaps } = certificate
  const sourceBytes = sources.reduce((sum, source) => sum + source.bytes, 0)
  await sql`
    with done as (
      update partitions p set state = ${state}, published_key = ${plainText(key)}, published_etag = ${plainText(etag)},
        published_bytes = ${bytes}, published_sha256 = ${sha256Hex}, published_rows = ${rows},
        published_revision = ${revision}, source_bytes = ${sourceBytes},
        flagged = ${verdictOf(certificate.findings) === 'flag'}, staged_bytes = 0, crashes = 0,
        code = null, message = null, facts = null, ended_stage = null, ended_attempt = null,
        work = ${jsonText(settledWork(claimed.work))}::jsonb, ${freed}
      where ${isHeldBy(claimed)} returning p.id
    ), certified as (
      insert into certificates (partition_id, certificate) select id, ${jsonText(certificate)}::jsonb from done
      on conflict (partition_id) do update set certificate = excluded.certificate
    ), sourced as (
      ${upsertedSources(sources)}
    ), gapped as (
      ${upsertedGaps(gaps)}
    ), fewer_sources as (
      delete from sources using done where partition_id = done.id and position > ${sources.length}
    ), fewer_gaps as (
      delete from gaps using done where partition_id = done.id and position > ${gaps.length}
    )
    select id from done`.execute(db)
}
