import { sql, type Kysely, type RawBuilder } from 'kysely'
import { verdictOf } from '../../domain/findings.js'
import type { Claim, Verified } from '../../domain/ports/stage-catalog.js'
import type { Published } from '../../domain/work.js'
import { jsonText, plainText } from './json-column.js'
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
      ${upserted('sources', [
        ['key', 'text', sources.map((s) => s.key)],
        ['etag', 'text', sources.map((s) => s.etag)],
        ['last_modified', 'text', sources.map((s) => s.lastModified)],
        ['bytes', 'bigint', sources.map((s) => s.bytes)],
        ['sha256', 'text', sources.map((s) => s.sha256Hex)],
        ['checksum', 'text', sources.map((s) => s.checksum)],
        ['checksum_hex', 'text', sources.map((s) => s.checksumHex)],
        ['from_us', 'bigint', sources.map((s) => s.range.fromUs)],
        ['to_us', 'bigint', sources.map((s) => s.range.toUs)],
      ])}
    ), gapped as (
      ${upserted('gaps', [
        ['from_us', 'bigint', gaps.map((g) => g.fromUs)],
        ['to_us', 'bigint', gaps.map((g) => g.toUs)],
        ['missing', 'bigint', gaps.map((g) => g.missing)],
        ['class', 'text', gaps.map((g) => g.class)],
        ['calendar', 'text', gaps.map((g) => g.calendar)],
      ])}
    ), fewer_sources as (
      delete from sources using done where partition_id = done.id and position > ${sources.length}
    ), fewer_gaps as (
      delete from gaps using done where partition_id = done.id and position > ${gaps.length}
    )
    select id from done`.execute(db)
}

type Column = readonly [name: string, type: 'text' | 'bigint', values: readonly unknown[]]

/** Rows of a list that belongs to the partition `done`, numbered from 1, in place of those with the same number. */
function upserted(table: 'sources' | 'gaps', columns: readonly Column[]): RawBuilder<unknown> {
  const names = columns.map(([name]) => name)
  const arrays = columns.map(([, type, values]) => sql`${values}::${sql.raw(type)}[]`)
  return sql`
    insert into ${sql.table(table)} (partition_id, position, ${sql.raw(names.join(', '))})
    select done.id, i.position, ${sql.raw(names.map((name) => `i.${name}`).join(', '))}
    from done, unnest(${sql.join(arrays)}) with ordinality as i(${sql.raw(names.join(', '))}, position)
    on conflict (partition_id, position) do update
      set ${sql.raw(names.map((name) => `${name} = excluded.${name}`).join(', '))}`
}
