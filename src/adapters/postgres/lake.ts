import { sql } from 'kysely'
import type { NumericType } from '../../domain/candle.js'
import { PipelineError } from '../../domain/errors.js'
import { lakeAddressOf } from '../../domain/lake-url.js'
import type { Lake } from '../../domain/ports/keeper-catalog.js'
import type { Db } from './rows.js'

type Asked = { readonly url: string; readonly numericType: NumericType }
type LakeRow = { readonly url: string; readonly numeric_type: NumericType; readonly catalog_id: string }

const columns = sql.raw('lake.url, lake.numeric_type, lake.catalog_id')

/**
 * The first lake fixes address and type. The update changes nothing: it gives the row that another process inserted.
 */
export async function adoptLake(db: Db, o: Asked): Promise<{ readonly catalogId: string }> {
  const { rows } = await sql<LakeRow>`
    insert into lake (url, numeric_type) values (${lakeAddressOf(o.url)}, ${o.numericType})
    on conflict (id) do update set url = lake.url returning ${columns}`.execute(db)
  const is = rows[0]
  if (!is) throw new PipelineError('UNEXPECTED', 'the catalog gave no lake back')
  refuseOther(is, o)
  return { catalogId: is.catalog_id }
}

export async function matchLake(db: Db, o: Asked): Promise<{ readonly catalogId: string | null }> {
  const { rows } = await sql<LakeRow>`select ${columns} from lake`.execute(db)
  const is = rows[0]
  if (is) refuseOther(is, o)
  return { catalogId: is?.catalog_id ?? null }
}

function refuseOther(is: LakeRow, asked: Asked): void {
  const [at, url] = [lakeAddressOf(is.url), lakeAddressOf(asked.url)]
  if (is.numeric_type !== asked.numericType) throw otherType(at, is.numeric_type, asked.numericType)
  if (at !== url) throw otherLake(at, url)
}

const otherType = (at: string, lake: NumericType, asked: NumericType): PipelineError =>
  new PipelineError('NUMERIC_TYPE_MISMATCH', `the lake holds ${lake} numbers, asked for are ${asked} ones`, {
    at, lake, asked, do: `set NUMERIC_TYPE=${lake}, or use another lake with a catalog of its own`,
  })

const otherLake = (at: string, asked: string): PipelineError =>
  new PipelineError('LAKE_MISMATCH', `the catalog is of the lake at ${at}, LAKE_URL is ${asked}`, {
    at, asked,
    do: `set LAKE_URL=${at}; was it moved: candlelake lake moved; `
      + 'for another lake, another DATABASE_URL or CANDLELAKE_HOME',
  })

export async function lakeOf(db: Db): Promise<Lake | null> {
  const { rows } = await sql<LakeRow>`select ${columns} from lake`.execute(db)
  const is = rows[0]
  return is ? { url: lakeAddressOf(is.url), numericType: is.numeric_type, catalogId: is.catalog_id } : null
}

export async function moveLake(db: Db, o: { from: string; to: string }): Promise<boolean> {
  const { rows } = await sql`
    update lake set url = ${lakeAddressOf(o.to)} where rtrim(url, '/') = ${lakeAddressOf(o.from)}
    returning url`.execute(db)
  return rows.length > 0
}
