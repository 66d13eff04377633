import { asPipelineError, type ErrorCode, type PipelineError } from '../../domain/errors.js'
import type { Paint } from './paint.js'
import { escapeControls } from './escape.js'

/** `error CODE: message` and `  at …  do: …`; with `verbose` the stacks of it and its causes. */
export function renderError(
  thrown: unknown,
  o: { readonly verbose: boolean; readonly paint: Paint },
): readonly string[] {
  const error = asPipelineError(thrown)
  const at = error.at === null ? [] : [`at ${escapeControls(error.at)}`]
  const hint = hintOf(error)
  const second = [...at, ...(hint === null ? [] : [`do: ${escapeControls(hint)}`])].join('  ')
  return [
    `${o.paint.red('error')} ${error.code}: ${escapeControls(error.message)}`,
    ...(second === '' ? [] : [`  ${second}`]),
    ...(o.verbose ? stacksOf(thrown).map((line) => o.paint.dim(`  ${escapeControls(line)}`)) : []),
  ]
}

/** The error as `--json` prints it. */
export function errorJson(thrown: unknown): Readonly<Record<string, unknown>> {
  const error = asPipelineError(thrown)
  const facts = Object.fromEntries(Object.entries(error.facts).filter(([name]) => name !== 'at' && name !== 'do'))
  return { v: 1, type: 'error', code: error.code, message: error.message, at: error.at, do: hintOf(error), facts }
}

/** What to do where an error does not say so itself. */
const HINTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  CATALOG_UNREACHABLE: 'start it, or correct or unset DATABASE_URL',
  QUEUE_UNREACHABLE: 'start it, or correct or unset QUEUE_URL',
  ARCHIVE_UNREACHABLE: 'check the network, HTTPS_PROXY and ARCHIVE_URL',
  STORE_UNREACHABLE: 'check LAKE_URL and STAGING_URL, and S3_ENDPOINT where they are buckets',
  DISK_FULL: 'free space, or move CANDLELAKE_HOME',
  UNEXPECTED: 'run it again with -v and report what it says',
}

/** What a person can do about an error, as far as anybody knows. */
export const hintOf = (error: PipelineError): string | null => error.do ?? HINTS[error.code] ?? null

function stacksOf(thrown: unknown): readonly string[] {
  if (!(thrown instanceof Error)) return []
  const own = (thrown.stack ?? thrown.message).split('\n').map((line) => line.trim())
  return [...own, ...(thrown.cause instanceof Error ? ['caused by', ...stacksOf(thrown.cause)] : [])]
}
