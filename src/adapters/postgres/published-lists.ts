import { sql, type RawBuilder } from 'kysely'
import type { Gap } from '../../domain/certificate.js'
import type { Source } from '../../domain/source.js'

/** Rows for the sources of the partition whose id a row `done` holds, in order, numbered from 1. */
export const upsertedSources = (sources: readonly Source[]): RawBuilder<unknown> => upserted('sources', [
  ['key', 'text', sources.map((s) => s.key)],
  ['etag', 'text', sources.map((s) => s.etag)],
  ['last_modified', 'text', sources.map((s) => s.lastModified)],
  ['bytes', 'bigint', sources.map((s) => s.bytes)],
  ['sha256', 'text', sources.map((s) => s.sha256Hex)],
  ['checksum', 'text', sources.map((s) => s.checksum)],
  ['checksum_hex', 'text', sources.map((s) => s.checksumHex)],
  ['from_us', 'bigint', sources.map((s) => s.range.fromUs)],
  ['to_us', 'bigint', sources.map((s) => s.range.toUs)],
])

/** The same for its gaps. */
export const upsertedGaps = (gaps: readonly Gap[]): RawBuilder<unknown> => upserted('gaps', [
  ['from_us', 'bigint', gaps.map((g) => g.fromUs)],
  ['to_us', 'bigint', gaps.map((g) => g.toUs)],
  ['missing', 'bigint', gaps.map((g) => g.missing)],
  ['class', 'text', gaps.map((g) => g.class)],
  ['calendar', 'text', gaps.map((g) => g.calendar)],
])

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
