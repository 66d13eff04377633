import type { DuckDBConnection } from '@duckdb/node-api'
import { CANDLE_COLUMNS, sqlTypeOf } from '../../domain/candle.js'
import { diskFailure } from '../../domain/disk-failure.js'
import { PipelineError } from '../../domain/errors.js'
import type { FooterFigures, InspectFigures } from '../../domain/figures.js'
import type { InspectRequest } from '../../domain/ports/engine.js'
import { BarFigures } from './bar-figures.js'
import { emptyRows, ROW_COLUMNS } from '../../sources/candle-rows.js'
import { literal } from './duckdb-session.js'
import { digestOf } from '../../sources/file-digest.js'
import { gridFigures } from './grid-figures.js'
import { LogicalHash } from './logical-hash.js'
import { readFooter } from './parquet-footer.js'
import { vectorBytes } from './vector-words.js'

const CHUNK_ROWS = 2_048

/**
 * Reads a Parquet file back, as `CandleEngine.inspect` promises: the footer by parquetjs-lite, and every value once by
 * DuckDB, whose chunks are looked at in our own memory. The statistics of the footer are compared with the rows.
 */
export async function inspectObject(request: InspectRequest, connection: DuckDBConnection): Promise<InspectFigures> {
  const { path, partition } = request
  const digest = digestOrRefuse(path)
  const footer = await readFooter(path)
  checkColumns(footer, request)
  const { bars, hash } = await scan(request, connection)
  compare('rows', footer.rows, bars.rows)
  if (bars.rows === 0) throw new PipelineError('VERIFY_MISMATCH', 'the object has no rows', { at: path })
  compare('the first open_time', footer.minOpenUs, BigInt(bars.minOpen))
  compare('the last open_time', footer.maxOpenUs, BigInt(bars.maxOpen))
  return {
    ...digest,
    ...bars.figures(),
    ...gridFigures(partition.interval, bars.sortedTimes()),
    logicalHash: hash.text,
    footer,
  }
}

function digestOrRefuse(path: string): ReturnType<typeof digestOf> {
  try {
    return digestOf(path)
  } catch (thrown) {
    const corrupt = new PipelineError('OBJECT_CORRUPT', 'the object cannot be read', { at: path }, thrown)
    throw diskFailure(thrown, path) ?? corrupt
  }
}

function checkColumns(footer: FooterFigures, { numericType }: InspectRequest): void {
  const got = footer.columns.map(({ name, type }) => `${name} ${type}`).join(', ')
  const want = CANDLE_COLUMNS.map(({ name, kind }) => `${name} ${sqlTypeOf(kind, numericType)}`).join(', ')
  compare('the columns', got, want)
}

function compare(what: string, footer: string | number | bigint, scan: string | number | bigint): void {
  if (footer === scan) return
  const facts = { what, footer: String(footer).slice(0, 500), scan: String(scan).slice(0, 500) }
  throw new PipelineError(
    'VERIFY_MISMATCH',
    `${what}: the footer says ${facts.footer}, it should be ${facts.scan}`,
    facts,
  )
}

async function scan(
  request: InspectRequest,
  connection: DuckDBConnection,
): Promise<{ bars: BarFigures; hash: LogicalHash }> {
  const { partition, path, numericType } = request
  const foreign = (['symbol', 'interval'] as const)
    .map((name) => `"${name}" IS DISTINCT FROM ${literal(partition[name])}`)
    .join(' OR ')
  const missing = ROW_COLUMNS.map(({ name }) => `"${name}" IS NULL`).join(' OR ')
  const select = ROW_COLUMNS.map(({ name }) => `"${name}"`).join(', ')
  const bars = new BarFigures()
  const hash = new LogicalHash()
  const rows = emptyRows(numericType, CHUNK_ROWS)
  try {
    const result = await connection.stream(
      `SELECT ${select}, (${foreign} OR ${missing}) AS odd FROM read_parquet(${literal(path)})`,
    )
    for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
      rows.count = chunk.rowCount
      for (const [index, { words }] of rows.columns.entries()) {
        const vector = chunk.getColumnVector(index)
        new Uint8Array(words.buffer).set(vectorBytes(vector))
      }
      const odd = vectorBytes(chunk.getColumnVector(rows.columns.length)).indexOf(1)
      if (odd >= 0) throw foreignRow(bars.rows + odd)
      hash.add(rows)
      bars.add(rows)
    }
  } catch (thrown) {
    throw unreadable(thrown, path)
  }
  return { bars, hash }
}

const foreignRow = (row: number): PipelineError =>
  new PipelineError('VERIFY_MISMATCH', `row ${row + 1} has a missing value, or is of another symbol or interval`, {
    row: row + 1,
  })

/** DuckDB's complaint about a file; memory, disk and our own errors pass. */
function unreadable(thrown: unknown, path: string): unknown {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  if (/Out of Memory Error/i.test(text)) return thrown
  return diskFailure(thrown, path) ?? new PipelineError(
    'OBJECT_CORRUPT',
    `DuckDB cannot read the object: ${text.slice(0, 300)}`,
    { at: path },
    thrown,
  )
}
