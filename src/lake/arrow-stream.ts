import {
  Bool,
  Field,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  TimestampMicrosecond,
  Utf8,
  vectorFromArray,
  type Data,
  type DataType,
} from 'apache-arrow'
import type { Frame, ResultColumn, ValueKind } from '../domain/ports/query-engine.js'

/** The Arrow type of each kind of value. Decimals are text: whoever reads them casts them to what it can hold. */
const TYPES: Readonly<Record<ValueKind, () => DataType>> = {
  double: () => new Float64(),
  integer: () => new Int32(),
  bigint: () => new Int64(),
  instant: () => new TimestampMicrosecond('UTC'),
  boolean: () => new Bool(),
  decimal: () => new Utf8(),
  text: () => new Utf8(),
  json: () => new Utf8(),
}

/** Of the end of a stream: no message follows. */
const END = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)

/**
 * Frames as one Arrow IPC stream: schema, a batch a frame, end. Each frame is written as a stream of its own, of which
 * the first keeps its schema and none its end: the library's own streaming writer fills a queue without a limit.
 */
export async function* arrowStream(
  columns: readonly ResultColumn[],
  frames: AsyncIterable<Frame>,
): AsyncGenerator<Uint8Array> {
  const schema = new Schema(columns.map(({ name, kind }) => new Field(name, TYPES[kind](), true)))
  const empty = tableToIPC(new Table(schema), 'stream')
  const schemaBytes = 8 + new DataView(empty.buffer, empty.byteOffset).getInt32(4, true)
  yield empty.subarray(0, schemaBytes)
  for await (const frame of frames) {
    const whole = tableToIPC(new Table([batchOf(schema, columns, frame)]), 'stream')
    yield whole.subarray(schemaBytes, whole.length - END.length)
  }
  yield END
}

function batchOf(schema: Schema, columns: readonly ResultColumn[], frame: Frame): RecordBatch {
  const children = columns.map(({ kind }, i) => dataOf(kind, frame, i))
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length: frame.rows, nullCount: 0, children }),
  )
}

function dataOf(kind: ValueKind, { rows, values, nulls }: Frame, index: number): Data {
  const column = values[index]!
  const missing = nulls[index] ?? null
  const type = TYPES[kind]()
  if (ArrayBuffer.isView(column) && kind !== 'boolean') {
    const nullBitmap = missing && bitmapOf(missing)
    return makeData({ type, length: rows, data: column, ...(nullBitmap ? { nullBitmap } : {}) } as never)
  }
  const items = Array.from({ length: rows }, (_, row) =>
    missing?.[row] === 1 ? null : arrowValue(kind, column[row]),
  )
  return vectorFromArray(items, type).data[0]!
}

function arrowValue(kind: ValueKind, value: unknown): unknown {
  if (kind === 'boolean') return value === 1
  if (kind === 'json') return JSON.stringify(value)
  return value
}

/** Arrow's bits say what is there, least significant first. */
function bitmapOf(missing: Uint8Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(missing.length / 8))
  for (const [row, isMissing] of missing.entries()) if (isMissing === 0) bits[row >> 3]! |= 1 << (row & 7)
  return bits
}
