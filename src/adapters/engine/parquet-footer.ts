import { open } from 'node:fs/promises'
import parquetjs, { type FileMetaData, type Int64, type SchemaElement } from 'parquetjs-lite'
import { PipelineError } from '../../domain/errors.js'
import type { FooterFigures } from '../../domain/figures.js'

const INT64 = 2
const DOUBLE = 5
const UTF8 = 0
const DECIMAL = 5
const TIMESTAMP_MICROS = 10

/**
 * What the footer says of itself, read by an implementation other than the writer. Types are given as DuckDB names
 * them.
 * @throws {OBJECT_CORRUPT} no footer, or one that lacks what every partition has
 */
export async function readFooter(path: string): Promise<FooterFigures> {
  const handle = await open(path)
  try {
    const { size } = await handle.stat()
    const read = async (offset: number, length: number) => {
      if (!(offset >= 0 && length >= 0 && offset + length <= size))
        throw new RangeError('the footer points outside the file')
      return (await handle.read(Buffer.alloc(length), 0, length, offset)).buffer
    }
    return figuresOf(await new parquetjs.ParquetEnvelopeReader(read, () => undefined, size).readFooter())
  } catch (thrown) {
    throw new PipelineError('OBJECT_CORRUPT', 'its Parquet footer cannot be read', { at: path }, thrown)
  } finally {
    await handle.close()
  }
}

function figuresOf(footer: FileMetaData): FooterFigures {
  const metadata = (footer.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? ''] as const)
  return {
    rows: Number(bigint(footer.num_rows)),
    columns: footer.schema.slice(1).map((element) => ({ name: element.name, type: typeOf(element) })),
    metadata: Object.fromEntries(metadata),
    ...openTimeBounds(footer),
  }
}

function openTimeBounds(footer: FileMetaData): { minOpenUs: bigint; maxOpenUs: bigint } {
  const bounds = footer.row_groups.map(({ columns }) => {
    const column = columns.find((c) => c.meta_data.path_in_schema.join('.') === 'open_time')
    const { min_value, max_value } = column?.meta_data.statistics ?? {}
    const [min, max] = [bytesOf(min_value), bytesOf(max_value)]
    if (min?.length !== 8 || max?.length !== 8) throw new TypeError('open_time has no statistics')
    return { min: min.readBigInt64LE(0), max: max.readBigInt64LE(0) }
  })
  const [first] = bounds
  if (!first) throw new TypeError('it has no row group')
  return {
    minOpenUs: bounds.reduce((min, group) => (group.min < min ? group.min : min), first.min),
    maxOpenUs: bounds.reduce((max, group) => (group.max > max ? group.max : max), first.max),
  }
}

/** The reader's Thrift gives binary values that happen to be UTF-8 as text: the same bytes, in another coat. */
const bytesOf = (value: Buffer | string | null | undefined): Buffer | null | undefined =>
  typeof value === 'string' ? Buffer.from(value, 'utf8') : value

function typeOf({ type, converted_type: converted, precision, scale }: SchemaElement): string {
  if (converted === UTF8) return 'VARCHAR'
  if (converted === DECIMAL) return `DECIMAL(${precision ?? 0},${scale ?? 0})`
  if (converted === TIMESTAMP_MICROS) return 'TIMESTAMPTZ'
  if (type === DOUBLE) return 'DOUBLE'
  return type === INT64 ? 'BIGINT' : `type ${type ?? 'none'}`
}

const bigint = ({ buffer, offset }: Int64): bigint => buffer.readBigInt64BE(offset)
