import { PipelineError, type ErrorCode } from '../../domain/errors.js'

const MEANINGS: readonly (readonly [pattern: RegExp, code: ErrorCode, help: string])[] = [
  [
    /Out of Memory Error|failed to allocate|bad_alloc/i,
    'QUERY_MEMORY',
    'ask for less at a time, or raise QUERY_MEMORY_BYTES',
  ],
  [
    /No space left on device|max_temp_directory_size/i,
    'QUERY_MEMORY',
    'ask for less at a time, or raise ENGINE_TEMP_BYTES',
  ],
  [/^IO Error: .*ETag .*changed|^HTTP Error: .*ETag/i, 'PRECONDITION_FAILED', 'ask again'],
  [/^(HTTP|IO) Error: .*\b404\b/, 'OBJECT_ABSENT', 'correct the address'],
  [/^IO Error: No files found that match/, 'OBJECT_ABSENT', 'see candlelake verify'],
  [/^HTTP Error|^IO Error: Could not (connect|establish)/, 'STORE_UNREACHABLE', 'try again later'],
  [/schema mismatch|failed to cast column/i, 'SCHEMA_MISMATCH', 'see candlelake verify'],
  [
    /TProtocolException|TTransportException|No magic bytes|Failed to read Parquet|ZSTD Decompression|Snappy|corrupt/i,
    'OBJECT_CORRUPT',
    'see candlelake verify',
  ],
]

/** Our error for one that DuckDB raised: what it says of the SQL is its first line. */
export function queryFailure(thrown: unknown): PipelineError {
  if (thrown instanceof PipelineError) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const found = MEANINGS.find(([pattern]) => pattern.test(text))
  if (found) return new PipelineError(found[1], firstLine(text), { at: 'the query', do: found[2] }, thrown)
  return refused(firstLine(text), thrown)
}

/** What is not answered, and what would be. */
export const refused = (why: string, cause?: unknown): PipelineError =>
  new PipelineError(
    'SQL_REFUSED',
    why,
    { at: 'the SQL', do: 'write one SELECT over the views, e.g. spot_klines' },
    cause,
  )

/** Paths of this machine say nothing to whoever asked; the query of an address may be a signature. */
const firstLine = (text: string): string =>
  (text.split('\n')[0] ?? '')
    .replace(/"[^"]*\/([^"/]+\/[^"/]+)"/g, '"…/$1"')
    .replace(/(https?:\/\/[^\s"'?]*)\?[^\s"']*/g, '$1?…')
    .slice(0, 300)
