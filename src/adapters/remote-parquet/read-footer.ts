import parquetjs, { type FileMetaData, type Int64, type SchemaElement } from 'parquetjs-lite'
import { PipelineError } from '../../domain/errors.js'
import type { ColumnChunk, ParquetFooter } from '../../domain/parquet-footer.js'

type Element = FileMetaData['row_groups'][number]['columns'][number]['meta_data']

const TRAILER_BYTES = 8
const MAGIC = 'PAR1'
/** A file with more footer than this is not one of ours, nor one that a sane writer made. */
const FOOTER_MAX_BYTES = 256 * 1024 ** 2

const PHYSICAL = ['BOOLEAN', 'INTEGER', 'BIGINT', 'INT96', 'FLOAT', 'DOUBLE', 'BLOB', 'BLOB'] as const
const CODECS = ['uncompressed', 'snappy', 'gzip', 'lzo', 'brotli', 'lz4', 'zstd', 'lz4_raw'] as const

/**
 * How many bytes footer and trailer take, by the file's last eight bytes.
 * @throws {OBJECT_CORRUPT} not a Parquet file
 */
export function footerBytes(trailer: Buffer, fileBytes: number, at: string): number {
  const length = trailer.length < TRAILER_BYTES ? -1 : trailer.readUInt32LE(trailer.length - TRAILER_BYTES)
  const isParquet = length >= 0 && trailer.subarray(-4).toString('latin1') === MAGIC
  if (isParquet && length <= FOOTER_MAX_BYTES && length + TRAILER_BYTES + 4 <= fileBytes)
    return length + TRAILER_BYTES
  const why = isParquet ? 'its Parquet footer is longer than the file' : 'it does not end as a Parquet file does'
  throw new PipelineError('OBJECT_CORRUPT', why, { at })
}

/**
 * Reads footer and trailer. It is an implementation other than the writer's.
 * @throws {OBJECT_CORRUPT} for what cannot be read, and for chunks that lie outside the file or over one another
 */
export async function readFooter(bytes: Buffer, fileBytes: number, at: string): Promise<ParquetFooter> {
  const start = fileBytes - bytes.length
  const read = (offset: number, length: number): Promise<Buffer> =>
    Promise.resolve(bytes.subarray(offset - start, offset - start + length))
  try {
    const meta = await new parquetjs.ParquetEnvelopeReader(read, () => undefined, fileBytes).readFooter()
    const footer = footerOf(meta, { bytes: fileBytes, start })
    check(footer)
    return footer
  } catch (thrown) {
    throw new PipelineError('OBJECT_CORRUPT', 'its Parquet footer cannot be read', { at }, thrown)
  }
}

function footerOf(meta: FileMetaData, file: { bytes: number; start: number }): ParquetFooter {
  return {
    ...file,
    rows: number(meta.num_rows),
    columns: leaves(meta.schema),
    rowGroups: meta.row_groups.map((group) => ({
      rows: number(group.num_rows),
      chunks: group.columns.map(({ meta_data: element }) => chunkOf(element)),
    })),
    metadata: Object.fromEntries(
      (meta.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? ''] as const),
    ),
  }
}

/** The columns; of a nested one only its name, since no candle file has any. */
function leaves([, ...elements]: FileMetaData['schema']): ParquetFooter['columns'] {
  const columns: { name: string; type: string }[] = []
  for (let at = 0; at < elements.length; at++) {
    const element = elements[at]!
    columns.push({ name: element.name, type: element.num_children ? 'NESTED' : typeOf(element) })
    for (let below = element.num_children ?? 0; below > 0; below--) below += elements[++at]?.num_children ?? 0
  }
  return columns
}

/** The chunk of a nested column goes by the name of the whole column. */
function chunkOf(element: Element): ColumnChunk {
  const data = number(element.data_page_offset)
  const dictionary = element.dictionary_page_offset ? number(element.dictionary_page_offset) : 0
  const start = dictionary > 0 ? Math.min(dictionary, data) : data
  const statistics = element.statistics
  return {
    column: element.path_in_schema[0] ?? '',
    start,
    end: start + number(element.total_compressed_size),
    uncompressedBytes: number(element.total_uncompressed_size),
    codec: CODECS[element.codec] ?? `codec ${element.codec}`,
    min: bytesOf(statistics?.min_value),
    max: bytesOf(statistics?.max_value),
    nulls: statistics?.null_count ? number(statistics.null_count) : null,
  }
}

function typeOf({ type, converted_type: converted, precision, scale }: SchemaElement): string {
  if (converted === 0) return 'VARCHAR'
  if (converted === 5) return `DECIMAL(${precision ?? 0},${scale ?? 0})`
  if (converted === 9) return 'TIMESTAMP_MS'
  if (converted === 10) return 'TIMESTAMPTZ'
  if (converted === 6) return 'DATE'
  return type === null ? 'NESTED' : (PHYSICAL[type] ?? `type ${type}`)
}

function check({ rowGroups, start }: ParquetFooter): void {
  for (const { rows, chunks } of rowGroups) {
    if (!(rows >= 0)) throw new RangeError('a row group has no number of rows')
    const odd = chunks.find(
      (chunk) => !(chunk.start >= MAGIC.length && chunk.end >= chunk.start && chunk.end <= start),
    )
    if (odd) throw new RangeError(`column ${odd.column} lies outside the file`)
  }
}

/** The reader's Thrift gives binary values that happen to be UTF-8 as text: the same bytes, in another coat. */
const bytesOf = (value: Buffer | string | null | undefined): Buffer | null =>
  typeof value === 'string' ? Buffer.from(value, 'utf8') : (value ?? null)

const number = ({ buffer, offset }: Int64): number => Number(buffer.readBigInt64BE(offset))
