import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { diskFailure } from '../../domain/disk-failure.js'
import { PipelineError } from '../../domain/errors.js'

/** What one slot's DuckDB may use. Bytes. */
export type SessionLimits = { readonly memoryBytes: number; readonly tempBytes: number; readonly threads: number }

/**
 * An in-memory DuckDB without extensions to load and without a network. It is one for the life of a process: opening
 * one a partition would let it be locked to the folders of that partition, but costs 14 ms each, a fifth of converting
 * a month of 1m; all SQL here is ours, and every text in it goes through `literal`.
 */
export async function openSession(limits: SessionLimits): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: String(limits.threads),
    memory_limit: `${limits.memoryBytes}B`,
    max_temp_directory_size: `${limits.tempBytes}B`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    preserve_insertion_order: 'true',
  })
  const connection = await instance.connect()
  await connection.run(`SET TimeZone = 'UTC'`)
  return connection
}

/** A SQL string literal. */
export const literal = (text: string): string => `'${text.replaceAll(`'`, `''`)}'`

/** Our error for one that DuckDB raised while it did `what`; ours pass unchanged. */
export function engineError(thrown: unknown, what: string): PipelineError {
  if (thrown instanceof PipelineError) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : null
  const ofDisk = diskFailure(thrown, what)
  if (ofDisk) return ofDisk
  if (code === 'ERR_MEMORY_ALLOCATION_FAILED' || thrown instanceof RangeError || /Out of Memory Error/i.test(text)) {
    return new PipelineError(
      'ENGINE_MEMORY',
      `the engine's memory is too small for ${what}`,
      { at: what, text: text.slice(0, 300) },
      thrown,
    )
  }
  return new PipelineError('ENGINE_FAILED', `${what} failed: ${text.slice(0, 300)}`, { at: what }, thrown)
}
